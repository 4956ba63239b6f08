/** The database's schema as the list of steps that lead to it: append, never edit. Times are milliseconds since 1970. */

export const migrations: readonly string[] = [
  `
  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- what was decided at its creation, as JSON: see container/record.ts
    record TEXT NOT NULL,
    -- the task, now or last
    state TEXT NOT NULL,
    pid INTEGER,
    pid_start INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    exit_status INTEGER,
    exit_signal INTEGER,
    oom_killed INTEGER NOT NULL DEFAULT 0,
    error TEXT
  ) STRICT;
  CREATE INDEX containers_by_image ON containers(image_id);

  -- an image is its config's digest; what is needed of its documents is kept here, the bytes are content
  CREATE TABLE images (
    id TEXT PRIMARY KEY,
    manifest_digest TEXT NOT NULL,
    manifest_type TEXT NOT NULL,
    platform TEXT NOT NULL,
    created_at INTEGER,
    added_at INTEGER NOT NULL
  ) STRICT;

  -- canonical name (docker.io/library/alpine:latest) to image; the digest it stood for at the registry
  CREATE TABLE image_names (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images(id),
    target_digest TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX image_names_by_image ON image_names(image_id);

  -- repository@digest by which an image was pulled
  CREATE TABLE image_digests (
    repository TEXT NOT NULL,
    digest TEXT NOT NULL,
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    PRIMARY KEY (repository, digest, image_id)
  ) STRICT, WITHOUT ROWID;

  -- an unpacked layer; its tree is in layers/<the first 28 hex digits of the chainID>
  CREATE TABLE layers (
    chain_id TEXT PRIMARY KEY,
    diff_id TEXT NOT NULL,
    parent TEXT REFERENCES layers(chain_id),
    size_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE image_layers (
    image_id TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    chain_id TEXT NOT NULL REFERENCES layers(chain_id),
    -- the blob it came from
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    blob_bytes INTEGER NOT NULL,
    PRIMARY KEY (image_id, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_layers_by_chain ON image_layers(chain_id);
  CREATE INDEX image_layers_by_digest ON image_layers(digest);

  CREATE TABLE operations (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    duration_ms REAL,
    error TEXT
  ) STRICT;
  CREATE INDEX operations_by_target ON operations(target, started_at);
  CREATE INDEX operations_by_status ON operations(status);

  CREATE TABLE steps (
    operation_id TEXT NOT NULL REFERENCES operations(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    by TEXT NOT NULL,
    shell TEXT,
    undo TEXT,
    status TEXT NOT NULL,
    offset_ms REAL NOT NULL,
    duration_ms REAL,
    error TEXT,
    PRIMARY KEY (operation_id, position)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- how often its policy has started it since somebody did; the wait before the next start and when that is
  ALTER TABLE containers ADD COLUMN restart_count INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE containers ADD COLUMN back_off_ms INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE containers ADD COLUMN restart_at INTEGER;
  -- 1 from a stop, kill or rm until the next start
  ALTER TABLE containers ADD COLUMN manually_stopped INTEGER NOT NULL DEFAULT 0;
  -- JSON: what is known of its last end or failed start, and of its health
  ALTER TABLE containers ADD COLUMN evidence TEXT;
  ALTER TABLE containers ADD COLUMN health TEXT;

  -- what happened, oldest first; seq never goes back
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    id TEXT NOT NULL,
    attributes TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_time ON events(at);
  `,
  `
  -- record: what was decided at its creation, as JSON: see network/records.ts
  CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    bridge TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;

  -- a container's membership in a network, running or not; ipv4, ipv6, mac and interface only while it is attached.
  -- container_id is not a reference: addresses are held until the link is gone, which may be after the container
  CREATE TABLE endpoints (
    container_id TEXT NOT NULL,
    network_id TEXT NOT NULL REFERENCES networks(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    aliases TEXT NOT NULL,
    wanted_ipv4 TEXT,
    wanted_ipv6 TEXT,
    wanted_mac TEXT,
    last_ipv4 TEXT,
    last_ipv6 TEXT,
    ipv4 TEXT,
    ipv6 TEXT,
    mac TEXT,
    interface TEXT,
    PRIMARY KEY (container_id, network_id)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX endpoints_by_ipv4 ON endpoints(network_id, ipv4);
  CREATE UNIQUE INDEX endpoints_by_ipv6 ON endpoints(network_id, ipv6);
  CREATE UNIQUE INDEX endpoints_by_mac ON endpoints(network_id, mac);
  `,
  `
  -- the ledger of disk space: what was last measured, of what changes; id of a container or a volume
  CREATE TABLE disk_usage (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    measured_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER container_usage_ends AFTER DELETE ON containers
  BEGIN DELETE FROM disk_usage WHERE kind = 'container' AND id = OLD.id; END;
  `,
  `
  -- published ports of containers that run; of one number, no two at one address
  CREATE TABLE ports (
    container_id TEXT NOT NULL,
    host_address TEXT NOT NULL,
    host_port INTEGER NOT NULL,
    protocol TEXT NOT NULL,
    container_port INTEGER NOT NULL,
    PRIMARY KEY (protocol, host_port, host_address)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ports_by_container ON ports(container_id);
  `,
  `
  -- id names its directory; owner: the container that takes it along when it removes itself
  CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    labels TEXT NOT NULL,
    anonymous INTEGER NOT NULL,
    owner TEXT,
    filling INTEGER NOT NULL
  ) STRICT;
  CREATE TRIGGER volume_usage_ends AFTER DELETE ON volumes
  BEGIN DELETE FROM disk_usage WHERE kind = 'volume' AND id = OLD.id; END;
  `,
]
