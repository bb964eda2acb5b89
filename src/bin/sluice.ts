#!/usr/bin/env node
/**
 * The broker's entry. Says where compiled code is kept and loads the program, broker-process.ts, from there:
 * what this file itself imports is compiled anew at each start.
 */
import { keepCompiledCode } from "./compile-cache.ts"
import { requireSupportedRuntime } from "./supported-runtime.ts"

requireSupportedRuntime(process)

// A commit round syncs up to 16 files at a time; the pool's default of 4 threads would queue them. Read
// by the runtime when the first asynchronous file operation starts the pool.
const { env } = process
env["UV_THREADPOOL_SIZE"] ??= "16"

keepCompiledCode(env)
await import("./broker-process.ts")
