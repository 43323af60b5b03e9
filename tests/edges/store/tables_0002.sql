BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE attempt (
	id VARCHAR(40) NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	lead_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	planned_at_ms BIGINT NOT NULL, 
	dialled_at_ms BIGINT, 
	answered_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	outcome VARCHAR(16), 
	reason INTEGER, 
	cause INTEGER, 
	sip_status INTEGER, 
	settled_by VARCHAR(16), 
	CONSTRAINT pk_attempt PRIMARY KEY (id), 
	CONSTRAINT fk_attempt_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaign (id), 
	CONSTRAINT fk_attempt_lead_id FOREIGN KEY(lead_id) REFERENCES lead (id)
);
INSERT INTO "attempt" VALUES('a00000000000000000000000000000001',1,1,1,1795000000001,1795000000002,NULL,1795000009000,'human',NULL,NULL,NULL,'events');
INSERT INTO "attempt" VALUES('a00000000000000000000000000000002',1,2,1,1795000000002,1795000000003,NULL,1795000009000,'busy',NULL,NULL,NULL,'events');
INSERT INTO "attempt" VALUES('a00000000000000000000000000000003',1,3,1,1795000000003,1795000000004,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE call (
	id VARCHAR(40) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	attempt_id VARCHAR(40), 
	uniqueid VARCHAR(64) NOT NULL, 
	phone VARCHAR(32) NOT NULL, 
	dialled VARCHAR(32) NOT NULL, 
	flow VARCHAR(64) NOT NULL, 
	language VARCHAR(2) NOT NULL, 
	amd VARCHAR(64) NOT NULL, 
	started_at_ms BIGINT NOT NULL, 
	answered_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	ended_by VARCHAR(16), 
	CONSTRAINT pk_call PRIMARY KEY (id)
);
INSERT INTO "call" VALUES('c1','shop','outbound','a00000000000000000000000000000001','a00000000000000000000000000000001','+79160000001','','promo','ru','HUMAN',1795000000002,1795000003000,1795000009000,'hang_up');
INSERT INTO "call" VALUES('c2','shop','inbound',NULL,'1.2','+79160000009','100','hotline','ru','',1795000000002,1795000003000,1795000009000,'flow');
CREATE TABLE campaign (
	id INTEGER NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	flow VARCHAR(64) NOT NULL, 
	main_message VARCHAR(100) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	rules JSON NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	started_at_ms BIGINT, 
	ended_at_ms BIGINT, 
	CONSTRAINT pk_campaign PRIMARY KEY (id), 
	CONSTRAINT uq_campaign_tenant_name UNIQUE (tenant, name)
);
INSERT INTO "campaign" VALUES(1,'shop','sony','promo','promo.offer','running','{"channels": 10, "calls_per_second": 2.0, "ring_s": 30, "max_attempts": 3, "retry_after_s": 1800, "machines": "detect"}',1795000000000,1795000000001,NULL);
INSERT INTO "campaign" VALUES(2,'shop','lg','promo','promo.offer','ready','{"channels": 10, "calls_per_second": 2.0, "ring_s": 30, "max_attempts": 3, "retry_after_s": 1800, "machines": "detect"}',1795000000000,NULL,NULL);
CREATE TABLE contact (
	id INTEGER NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	phone VARCHAR(16) NOT NULL, 
	name VARCHAR(200) NOT NULL, 
	language VARCHAR(2) NOT NULL, 
	created_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_contact PRIMARY KEY (id), 
	CONSTRAINT uq_contact_tenant_phone UNIQUE (tenant, phone)
);
INSERT INTO "contact" VALUES(1,'shop','+79160000001','Иван','ru',1795000000000);
INSERT INTO "contact" VALUES(2,'shop','+79160000002','Ольга Петровна','ru',1795000000000);
INSERT INTO "contact" VALUES(3,'shop','+79160000003','','en',1795000000000);
INSERT INTO "contact" VALUES(4,'shop','+79160000004','Sam','ru',1795000000000);
CREATE TABLE do_not_call (
	tenant VARCHAR(64) NOT NULL, 
	phone VARCHAR(16) NOT NULL, 
	since_ms BIGINT NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	call_id VARCHAR(40), 
	CONSTRAINT pk_do_not_call PRIMARY KEY (tenant, phone)
);
INSERT INTO "do_not_call" VALUES('shop','+79160000005',1795000000000,'call','c2');
CREATE TABLE journal (
	call_id VARCHAR(40) NOT NULL, 
	seq INTEGER NOT NULL, 
	at_ms INTEGER NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	node VARCHAR(100) NOT NULL, 
	value VARCHAR(200) NOT NULL, 
	follow_up BOOLEAN NOT NULL, 
	depth INTEGER NOT NULL, 
	main BOOLEAN NOT NULL, 
	heard_ms INTEGER, 
	length_ms INTEGER, 
	ended VARCHAR(16), 
	CONSTRAINT pk_journal PRIMARY KEY (call_id, seq)
);
INSERT INTO "journal" VALUES('c1',0,0,'heard','offer','promo.offer',0,0,1,4000,4000,'played');
INSERT INTO "journal" VALUES('c1',1,4500,'key','offer','1',1,1,0,NULL,NULL,NULL);
CREATE TABLE lead (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	contact_id INTEGER NOT NULL, 
	variables JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	excluded_reason VARCHAR(32), 
	due_at_ms BIGINT NOT NULL, 
	attempts INTEGER NOT NULL, 
	outcome VARCHAR(16), spared INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_lead PRIMARY KEY (id), 
	CONSTRAINT fk_lead_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaign (id), 
	CONSTRAINT fk_lead_contact_id FOREIGN KEY(contact_id) REFERENCES contact (id), 
	CONSTRAINT uq_lead_campaign_id_contact_id UNIQUE (campaign_id, contact_id)
);
INSERT INTO "lead" VALUES(1,1,1,'{"price": "100"}','done',NULL,1795000001000,1,'human',0);
INSERT INTO "lead" VALUES(2,1,2,'{"price": "200"}','waiting',NULL,1795000002000,1,'busy',0);
INSERT INTO "lead" VALUES(3,1,3,'{}','dialling',NULL,1795000003000,1,NULL,0);
INSERT INTO "lead" VALUES(4,2,2,'{}','waiting',NULL,0,0,NULL,0);
INSERT INTO "lead" VALUES(5,2,4,'{}','waiting',NULL,0,0,NULL,0);
CREATE TABLE loss (
	call_id VARCHAR(40) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	attempt_id VARCHAR(40), 
	lines INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	why VARCHAR(200) NOT NULL, 
	CONSTRAINT pk_loss PRIMARY KEY (call_id, kind)
);
INSERT INTO "loss" VALUES('c1','notes','shop','a00000000000000000000000000000001',2,1795000009000,'the disk was full');
CREATE TABLE refused_row (
	id INTEGER NOT NULL, 
	campaign_id INTEGER NOT NULL, 
	line INTEGER NOT NULL, 
	reason VARCHAR(32) NOT NULL, 
	detail VARCHAR(200) NOT NULL, 
	CONSTRAINT pk_refused_row PRIMARY KEY (id), 
	CONSTRAINT fk_refused_row_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaign (id)
);
INSERT INTO "refused_row" VALUES(1,1,5,'invalid_number','too short');
INSERT INTO "refused_row" VALUES(2,1,6,'duplicate','the number is in an earlier row');
CREATE TABLE request (
	id INTEGER NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	phone VARCHAR(32) NOT NULL, 
	call_id VARCHAR(40), 
	variables JSON NOT NULL, 
	asked_at_ms BIGINT NOT NULL, 
	CONSTRAINT pk_request PRIMARY KEY (id)
);
INSERT INTO "request" VALUES(1,'shop','call_back','+79160000009','c2','{"city": "\u0422\u0432\u0435\u0440\u044c"}',1795000008000);
CREATE INDEX ix_call_attempt_id ON call (attempt_id);
CREATE INDEX ix_call_started ON call (tenant, started_at_ms);
CREATE INDEX ix_journal_kind ON journal (kind);
CREATE INDEX ix_request_asked ON request (tenant, asked_at_ms);
CREATE INDEX ix_lead_due ON lead (campaign_id, state, due_at_ms);
CREATE INDEX ix_refused_row_campaign_id ON refused_row (campaign_id);
CREATE INDEX ix_attempt_campaign_outcome ON attempt (campaign_id, outcome);
CREATE INDEX ix_attempt_lead_id ON attempt (lead_id);
CREATE INDEX ix_loss_at ON loss (tenant, at_ms);
CREATE INDEX ix_loss_attempt_id ON loss (attempt_id);
COMMIT;
