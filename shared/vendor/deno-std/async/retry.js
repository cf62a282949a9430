// @ts-self-types="./retry.d.ts"
// deno-std/async/retry.js, made by `npm run vendor`; see vendor.ts. Licences: LICENSES.txt.
// node_modules/deno-std/async/delay.js
/**
* Resolve a {@linkcode Promise} after a given amount of milliseconds.
*
* If the optional signal is aborted before the delay duration, the returned
* promise rejects with the signal's reason. If no reason is provided to
* `abort()`, the browser's default `DOMException` with name `"AbortError"` is used.
*
* @param ms Duration in milliseconds for how long the delay should last.
* @param options Additional options.
*
* @example Basic usage
* ```ts no-assert
* import { delay } from "delay.js";
*
* // ...
* const delayedPromise = delay(100);
* const result = await delayedPromise;
* // ...
* ```
*
* @example Disable persistence
*
* Setting `persistent` to `false` will allow the process to continue to run as
* long as the timer exists.
*
* ```ts no-assert ignore
* import { delay } from "delay.js";
*
* // ...
* await delay(100, { persistent: false });
* // ...
* ```
*/
function delay(ms, options = {}) {
	const { signal, persistent = true } = options;
	if (signal?.aborted) return Promise.reject(signal.reason);
	return new Promise((resolve, reject) => {
		const abort = () => {
			clearTimeout(+i);
			reject(signal?.reason);
		};
		const done = () => {
			signal?.removeEventListener("abort", abort);
			resolve();
		};
		const i = setArbitraryLengthTimeout(done, ms);
		signal?.addEventListener("abort", abort, { once: true });
		if (persistent === false) try {
			Deno.unrefTimer(+i);
		} catch (error) {
			if (!(error instanceof ReferenceError)) {
				clearTimeout(+i);
				throw error;
			}
			console.error("`persistent` option is only available in Deno");
		}
	});
}
const I32_MAX = 2 ** 31 - 1;
function setArbitraryLengthTimeout(callback, delay) {
	delay = Math.trunc(Math.max(delay, 0) || 0);
	if (delay <= I32_MAX) {
		const id = Number(setTimeout(callback, delay));
		return { valueOf: () => id };
	}
	const start = Date.now();
	let timeoutId;
	const queueTimeout = () => {
		const currentDelay = delay - (Date.now() - start);
		timeoutId = currentDelay > I32_MAX ? Number(setTimeout(queueTimeout, I32_MAX)) : Number(setTimeout(callback, currentDelay));
	};
	queueTimeout();
	return { valueOf: () => timeoutId };
}
// node_modules/deno-std/async/_util.js
function exponentialBackoffWithJitter(cap, base, attempt, multiplier, jitter) {
	const exp = Math.min(cap, base * multiplier ** attempt);
	return (1 - jitter * Math.random()) * exp;
}
// node_modules/deno-std/async/retry.js
/**
* Error thrown in {@linkcode retry} once the maximum number of failed attempts
* has been reached.
*
* @example Usage
* ```ts no-assert ignore
* import { RetryError } from "retry.js";
*
* throw new RetryError({ foo: "bar" }, 3);
* ```
*/
var RetryError = class extends Error {
	/**
	* Constructs a new {@linkcode RetryError} instance.
	*
	* @param cause the cause for this error.
	* @param attempts the number of retry attempts made.
	*/
	constructor(cause, attempts) {
		super(`Retrying exceeded the maxAttempts (${attempts}).`);
		this.name = "RetryError";
		this.cause = cause;
	}
};
/**
* Calls the given (possibly asynchronous) function up to `maxAttempts` times.
* Retries as long as the given function throws. If the attempts are exhausted,
* throws a {@linkcode RetryError} with `cause` set to the inner exception.
*
* The backoff is calculated by multiplying `minTimeout` with `multiplier` to the power of the current attempt counter (starting at 0 up to `maxAttempts - 1`). It is capped at `maxTimeout` however.
* How long the actual delay is, depends on `jitter`.
*
* When `jitter` is the default value of `1`, waits between two attempts for a
* randomized amount between 0 and the backoff time. With the default options
* the maximal delay will be `15s = 1s + 2s + 4s + 8s`. If all five attempts
* are exhausted the mean delay will be `9.5s = ½(4s + 15s)`.
*
* When `jitter` is `0`, waits the full backoff time.
*
* @example Example configuration 1
* ```ts no-assert
* import { retry } from "retry.js";
* const req = async () => {
*  // some function that throws sometimes
* };
*
* // Below resolves to the first non-error result of `req`
* const retryPromise = await retry(req, {
*  multiplier: 2,
*  maxTimeout: 60000,
*  maxAttempts: 5,
*  minTimeout: 100,
*  jitter: 1,
* });
* ```
*
* @example Example configuration 2
* ```ts no-assert
* import { retry } from "retry.js";
* const req = async () => {
*  // some function that throws sometimes
* };
*
* // Make sure we wait at least 1 minute, but at most 2 minutes
* const retryPromise = await retry(req, {
*  multiplier: 2.34,
*  maxTimeout: 80000,
*  maxAttempts: 7,
*  minTimeout: 1000,
*  jitter: 0.5,
* });
* ```
*
* @example Only retry on specific error types
* ```ts no-assert
* import { retry } from "retry.js";
*
* class HttpError extends Error {
*   status: number;
*   constructor(status: number) {
*     super(`HTTP ${status}`);
*     this.status = status;
*   }
* }
*
* const req = async () => {
*   // some function that throws HttpError
* };
*
* // Only retry on 429 (rate limit) or 5xx (server) errors
* const retryPromise = await retry(req, {
*   isRetriable: (err) =>
*     err instanceof HttpError && (err.status === 429 || err.status >= 500),
* });
* ```
*
* @typeParam T The return type of the function to retry and returned promise.
* @param fn The function to retry.
* @param options Additional options.
* @returns The promise that resolves with the value returned by the function to retry.
* @throws {RetryError} If the function fails after `maxAttempts` attempts.
* @throws If the `signal` is aborted, throws the signal's reason.
* @throws If `isRetriable` returns `false` for an error, throws that error immediately.
*/
async function retry(fn, options) {
	const { multiplier = 2, maxTimeout = 6e4, maxAttempts = 5, minTimeout = 1e3, jitter = 1, isRetriable = () => true, signal } = options ?? {};
	if (!Number.isInteger(maxAttempts) || maxAttempts < 1) throw new RangeError(`Cannot retry as 'maxAttempts' must be a positive integer: current value is ${maxAttempts}`);
	if (!Number.isFinite(multiplier) || multiplier < 1) throw new RangeError(`Cannot retry as 'multiplier' must be a finite number >= 1: current value is ${multiplier}`);
	if (Number.isNaN(maxTimeout) || maxTimeout <= 0) throw new RangeError(`Cannot retry as 'maxTimeout' must be a positive number: current value is ${maxTimeout}`);
	if (Number.isNaN(minTimeout) || minTimeout < 0) throw new RangeError(`Cannot retry as 'minTimeout' must be >= 0: current value is ${minTimeout}`);
	if (minTimeout > maxTimeout) throw new RangeError(`Cannot retry as 'minTimeout' must be <= 'maxTimeout': current values 'minTimeout=${minTimeout}', 'maxTimeout=${maxTimeout}'`);
	if (Number.isNaN(jitter) || jitter < 0 || jitter > 1) throw new RangeError(`Cannot retry as 'jitter' must be between 0 and 1: current value is ${jitter}`);
	let attempt = 0;
	while (true) {
		signal?.throwIfAborted();
		try {
			return await fn();
		} catch (error) {
			if (!isRetriable(error)) throw error;
			if (attempt + 1 >= maxAttempts) throw new RetryError(error, maxAttempts);
			await delay(exponentialBackoffWithJitter(maxTimeout, minTimeout, attempt, multiplier, jitter), signal ? { signal } : void 0);
		}
		attempt++;
	}
}
export { RetryError, retry };
