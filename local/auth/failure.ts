/** An answer with GoTrue's error body, thrown from wherever it is found out. */
export class AuthFailure extends Error {
  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }
}

export function unexpected(error: unknown): AuthFailure {
  console.error("auth:", error);
  return new AuthFailure(
    500,
    "unexpected_failure",
    "Unexpected failure, please check server logs for more information",
  );
}
