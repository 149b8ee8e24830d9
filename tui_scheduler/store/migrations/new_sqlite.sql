CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE attempt (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	execution_id BIGINT NOT NULL, 
	attempt INTEGER NOT NULL, 
	node_id BIGINT NOT NULL, 
	started_at BIGINT, 
	finished_at BIGINT NOT NULL, 
	duration_us BIGINT, 
	http_status INTEGER, 
	error TEXT, 
	response_headers JSON, 
	response_excerpt TEXT, 
	waits_us BIGINT, 
	waits_for TEXT
);

CREATE INDEX ix_attempt_execution ON attempt (execution_id, attempt);

CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at BIGINT NOT NULL, 
	actor TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	"before" JSON, 
	"after" JSON
);

CREATE INDEX ix_audit_subject ON audit (subject, id);

CREATE TABLE execution (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_id BIGINT NOT NULL, 
	job_version INTEGER NOT NULL, 
	scheduled_for BIGINT NOT NULL, 
	fire_at BIGINT NOT NULL, 
	occurrence_key BIGINT, 
	"trigger" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	claim_no INTEGER NOT NULL, 
	rescues INTEGER NOT NULL, 
	node_id BIGINT, 
	priority SMALLINT NOT NULL, 
	next_attempt_at BIGINT, 
	started_at BIGINT, 
	finished_at BIGINT, 
	duration_us BIGINT, 
	http_status INTEGER, 
	error TEXT, 
	response_excerpt TEXT, 
	skip_reason TEXT, 
	skip_from BIGINT, 
	skip_to BIGINT, 
	skip_count INTEGER, 
	cancel_requested BOOLEAN NOT NULL, 
	sent_once BOOLEAN, gate BIGINT, 
	CONSTRAINT uq_execution_occurrence UNIQUE (job_id, occurrence_key)
);

CREATE INDEX ix_execution_cancel ON execution (node_id) WHERE cancel_requested;

CREATE INDEX ix_execution_extra ON execution (job_id, scheduled_for) WHERE occurrence_key IS NULL;

CREATE INDEX ix_execution_unfinished ON execution (node_id) WHERE state IN ('claimed', 'running');

CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	public_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	schedule TEXT NOT NULL, 
	timezone TEXT NOT NULL, 
	method TEXT NOT NULL, 
	url TEXT NOT NULL, 
	headers JSON NOT NULL, 
	body TEXT, 
	tls_verify BOOLEAN NOT NULL, 
	ca_file TEXT, 
	follow_redirects BOOLEAN NOT NULL, 
	type TEXT NOT NULL, 
	retry JSON NOT NULL, 
	timeout_us BIGINT NOT NULL, 
	priority SMALLINT NOT NULL, 
	queue TEXT NOT NULL, 
	tags JSON NOT NULL, 
	overlap TEXT NOT NULL, 
	catch_up TEXT NOT NULL, 
	grace_us BIGINT NOT NULL, 
	jitter_us BIGINT NOT NULL, 
	starts_at BIGINT, 
	ends_at BIGINT, 
	success JSON NOT NULL, 
	pause_on_gone BOOLEAN NOT NULL, 
	alert JSON, 
	signing_secret_ref TEXT, 
	state TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	change_no BIGINT NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	deleted_at BIGINT, 
	CONSTRAINT uq_job_public_id UNIQUE (public_id)
);

CREATE INDEX ix_job_change_no ON job (change_no);

CREATE INDEX ix_job_state ON job (state);

CREATE TABLE meta (
	name TEXT NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);

CREATE TABLE node (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	uuid TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	version TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started_at BIGINT NOT NULL, 
	stopped_at BIGINT, 
	heartbeat BIGINT NOT NULL, 
	heartbeat_at BIGINT NOT NULL, 
	counters JSON NOT NULL, 
	CONSTRAINT uq_node_uuid UNIQUE (uuid)
);

CREATE INDEX ix_node_state ON node (state);

CREATE TABLE timer (
	job_id INTEGER NOT NULL, 
	job_version INTEGER NOT NULL, 
	priority SMALLINT NOT NULL, 
	next_fire_at BIGINT, 
	planned_through BIGINT NOT NULL, 
	running_execution_id BIGINT, failures INTEGER DEFAULT 0 NOT NULL, gate BIGINT, 
	PRIMARY KEY (job_id)
);

CREATE TABLE token (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	scope TEXT NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT, 
	revoked_at BIGINT, 
	last_used_at BIGINT, 
	CONSTRAINT uq_token_hash UNIQUE (hash)
);

CREATE INDEX ix_timer_failing ON timer (job_id) WHERE failures > 0;

CREATE INDEX ix_execution_failed ON execution (finished_at) WHERE state IN ('failed', 'lost');

CREATE INDEX ix_execution_waiting_job ON execution (job_id, "trigger", next_attempt_at, scheduled_for) WHERE state IN ('pending', 'retrying');

CREATE INDEX ix_job_queue ON job (queue);

CREATE INDEX ix_timer_due ON timer (priority, next_fire_at) WHERE gate IS NULL;

CREATE INDEX ix_timer_gated ON timer (gate, priority, next_fire_at) WHERE gate IS NOT NULL;

CREATE INDEX ix_execution_waiting ON execution (priority, next_attempt_at) WHERE state IN ('pending', 'retrying') AND gate IS NULL;

CREATE INDEX ix_execution_gated_waiting ON execution (gate, priority, next_attempt_at) WHERE state IN ('pending', 'retrying') AND gate IS NOT NULL;

CREATE INDEX ix_execution_gated ON execution (gate) WHERE state IN ('claimed', 'running') AND gate IS NOT NULL;

CREATE TABLE queue (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	concurrency INTEGER, 
	rate_count INTEGER, 
	rate_period_us BIGINT, 
	paused BOOLEAN NOT NULL, 
	CONSTRAINT uq_queue_name UNIQUE (name)
);

CREATE TABLE queue_use (
	queue_id INTEGER NOT NULL, 
	until BIGINT NOT NULL, 
	used INTEGER NOT NULL, 
	PRIMARY KEY (queue_id, until)
);

CREATE TABLE maintenance_window (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	public_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	queue TEXT, 
	starts_at BIGINT, 
	ends_at BIGINT, 
	schedule TEXT, 
	duration_us BIGINT, 
	timezone TEXT NOT NULL, 
	enabled BOOLEAN NOT NULL, 
	is_past BOOLEAN NOT NULL, 
	created_at BIGINT NOT NULL, 
	since BIGINT NOT NULL, 
	CONSTRAINT uq_window_public_id UNIQUE (public_id)
)
