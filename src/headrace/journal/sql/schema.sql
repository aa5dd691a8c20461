-- The journal's own database file. Times are Unix milliseconds.

-- One row for each run. `key` stands for the run's id in segments. `entries` counts what `chunks` holds.
CREATE TABLE IF NOT EXISTS runs (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    epoch INTEGER NOT NULL,
    entries INTEGER NOT NULL DEFAULT 0,
    sealed_at INTEGER,
    pruned INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The hot path: what all runs appended since the last commit, as one row (see segments.py). Short-lived.
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

-- Where entries stay: consecutive entries of one run, compressed (see segments.py).
CREATE TABLE IF NOT EXISTS chunks (
    key INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (key, first)
) STRICT;

CREATE INDEX IF NOT EXISTS runs_unsealed ON runs (key) WHERE sealed_at IS NULL;
CREATE INDEX IF NOT EXISTS runs_sealed_at ON runs (sealed_at) WHERE pruned = 0;
