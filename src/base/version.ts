/** The version of Skiff: daemon, command line and everything else. */
export const skiffVersion = '0.1.0';
