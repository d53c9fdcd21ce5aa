"""The Python side of a supervised child process (process/worker_process.ts is the parent's): pipes, a loop, failures."""
