-- Each new export counts those that run.
CREATE INDEX export_running ON export (created_at) WHERE status = 'running';
