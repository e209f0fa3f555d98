/** What the service says to `name`. */
export function greeting(name) {
  return `Hello, ${name}`;
}
