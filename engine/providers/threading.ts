/** How ONNX Runtime uses threads on the CPU, whichever provider calls it. None of it changes a bit of a result. */

/** Settings of a session, by their names after "session.". */
export const threading = {
  // Hands elements to threads in shrinking blocks: 8 % faster beside busy processes, equal on a quiet machine.
  dynamic_block_base: "2",
  // Else its threads spin on for some 50 ms after a call, on cores that environments and other sessions want.
  force_spinning_stop: "1",
} as const;
