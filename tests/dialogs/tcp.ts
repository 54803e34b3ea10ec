/** A connection to a running server, for dialogs that need no stubs. */

import { connect } from "node:net";
import type { Connection } from "./dialog.ts";

/** Connects; rejects when nobody listens there. */
export function connectTcp(port: number, host = "127.0.0.1"): Promise<Connection> {
  const chunks: Uint8Array[] = [];
  let ended = false, wake = () => {};
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      resolve({
        send: (bytes) => void socket.write(bytes),
        close: () => void socket.destroy(),
        async receive() {
          while (!chunks.length && !ended) await new Promise<void>((resolve) => (wake = resolve));
          return chunks.shift();
        },
      });
    });
    socket.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      wake();
    });
    socket.on("error", reject).on("close", () => {
      ended = true;
      wake();
    });
  });
}
