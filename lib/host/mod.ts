// The host: clock, disk, directory lock and memory of the machine, behind small interfaces.
//
// Only this room and main.ts use Deno. Tests and the simulation put their own clock and disk in its place.

export { buildLine } from "./build.ts";
export {
  afterMillisecond,
  afterTurn,
  type Clock,
  holdLongWork,
  HostClock,
  localZone,
  nextTurn,
  pace,
  sleep,
} from "./clock.ts";
export { DirectoryLock } from "./directory_lock.ts";
export {
  type Appending,
  type Disk,
  HostDisk,
  isNoSpace,
  type Reading,
  type Writing,
} from "./disk.ts";
export { type HttpServer, openHttpServer } from "./http_server.ts";
export { machineMemoryBytes, memoryBytes, nudgeCollector } from "./memory.ts";
export { connectTo, type Wire } from "./network.ts";
export { ReadWindow } from "./read_window.ts";
export { replaceFile } from "./replace_file.ts";
export { type Calendar, TimeZone } from "./time_zone.ts";
export { examineTls, listenTls, type TlsListener } from "./tls_listener.ts";
export { HostTerminal, type Terminal } from "./terminal.ts";
