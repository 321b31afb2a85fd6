using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "app", worker = .app),
    (name = "data", disk = (writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "app")],
);

const app :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  durableObjectNamespaces = [
    (className = "DurableCounter", uniqueKey = "durable", enableSql = true),
    (className = "MemoryCounter", uniqueKey = "memory", enableSql = true),
    (className = "Worker", uniqueKey = "worker", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "data"),
  bindings = [
    (name = "DURABLE_COUNTER", durableObjectNamespace = "DurableCounter"),
    (name = "MEMORY_COUNTER", durableObjectNamespace = "MemoryCounter"),
    (name = "WORKER", durableObjectNamespace = "Worker"),
  ],
);
