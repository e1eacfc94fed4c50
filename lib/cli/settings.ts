// What each part is told of the configuration: the one place where a Config is handed out.

import type { Access } from "../command/mod.ts";
import type { DatabaseOptions } from "../engine/mod.ts";
import type { AcceptorOptions } from "../server/mod.ts";
import type { MemoryLimits } from "./config.ts";
import type { Config } from "./options.ts";

export function databaseOptions(config: Config, memory: MemoryLimits): DatabaseOptions {
  const { walSync: policy, walSegmentBytes: segmentBytes, walBytesMax: bytesMax } = config;
  const { ingestStreamsMax } = config;
  return {
    directory: config.directory,
    restore: config.restore,
    treesMax: config.treesMax,
    isCounted: config.wal,
    log: { policy, segmentBytes, bytesMax },
    dedup: {
      idempotencyRecordsMax: config.idempotencyRecordsMax,
      idempotencyBytesMax: memory.answerBytesMax,
      ageMaxSeconds: config.idempotencyAgeSeconds,
      streamsKeptMax: ingestStreamsMax,
    },
    engine: {
      queryTimeoutMs: config.queryTimeoutMs,
      replyBytesMax: config.responseBytesMax,
      streamsMax: ingestStreamsMax,
      stagedItemsMax: config.ingestStagedItemsMax,
      dumpsKept: config.dumpsKept,
      retentionDays: config.retentionDays,
    },
  };
}

export function acceptorOptions(
  config: Config,
  memory: MemoryLimits,
  access: Access,
): AcceptorOptions {
  const { requestBytesMax, responseBytesMax, batchItemsMax, connectionsMax, noDelay } = config;
  return {
    connectionsMax,
    noDelay,
    keepAlive: config.tcpKeepAliveSeconds > 0,
    protocols: config.protocols,
    corsOrigins: config.corsOrigins,
    access,
    authTimeoutMs: 1000 * config.authTimeoutSeconds,
    batchItemsMax,
    bufferBytesMax: memory.bufferBytesMax,
    requestBytesMax,
    replyBytesMax: responseBytesMax,
    requestTimeoutMs: 1000 * config.requestTimeoutSeconds,
    readTimeoutMs: 1000 * config.readTimeoutSeconds,
    writeTimeoutMs: 1000 * config.writeTimeoutSeconds,
  };
}
