#include <stdio.h>

int main(int argc, char **argv) {
  printf("Hello, %s, from a program in an image of its own\n", argc > 1 ? argv[1] : "world");
  return 0;
}
