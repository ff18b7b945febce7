PRAGMA application_id = 1832018993;
PRAGMA user_version = 0;
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'mail2deal','m001_initial','2026-11-30 11:41:51.058243+00:00');
INSERT INTO "_sqlite_migrations" VALUES(2,'mail2deal','m002_troubles','2026-11-30 11:41:51.085166+00:00');
INSERT INTO "_sqlite_migrations" VALUES(3,'mail2deal','m003_forgotten','2026-11-30 11:41:51.098448+00:00');
INSERT INTO "_sqlite_migrations" VALUES(4,'mail2deal','m004_counts','2026-11-30 11:41:51.109778+00:00');
CREATE TABLE answers (
  answered TEXT NOT NULL,
  message INTEGER NOT NULL REFERENCES messages (id),
  PRIMARY KEY (answered, message)
) WITHOUT ROWID;
INSERT INTO "answers" VALUES('c1@gross.example',10);
CREATE TABLE api_usage (
  day TEXT NOT NULL, kind TEXT NOT NULL, calls INTEGER NOT NULL, tokens INTEGER NOT NULL,
  PRIMARY KEY (day, kind)
) WITHOUT ROWID;
INSERT INTO "api_usage" VALUES('2026-03-04','activities.create',9,45);
INSERT INTO "api_usage" VALUES('2026-03-04','deal_fields.create',1,5);
INSERT INTO "api_usage" VALUES('2026-03-04','deal_fields.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-04','deals.archived',1,20);
INSERT INTO "api_usage" VALUES('2026-03-04','deals.create',2,10);
INSERT INTO "api_usage" VALUES('2026-03-04','deals.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-04','leads.archived',1,40);
INSERT INTO "api_usage" VALUES('2026-03-04','leads.create',2,20);
INSERT INTO "api_usage" VALUES('2026-03-04','leads.list',1,20);
INSERT INTO "api_usage" VALUES('2026-03-04','organizations.create',4,20);
INSERT INTO "api_usage" VALUES('2026-03-04','organizations.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-04','person_fields.create',3,15);
INSERT INTO "api_usage" VALUES('2026-03-04','person_fields.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-04','persons.create',4,20);
INSERT INTO "api_usage" VALUES('2026-03-04','persons.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-04','pipelines.list',1,5);
INSERT INTO "api_usage" VALUES('2026-03-04','stages.list',1,5);
INSERT INTO "api_usage" VALUES('2026-03-04','users.me',1,2);
INSERT INTO "api_usage" VALUES('2026-03-05','activities.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-05','deal_fields.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-05','deals.list',2,20);
INSERT INTO "api_usage" VALUES('2026-03-05','leads.list',1,20);
INSERT INTO "api_usage" VALUES('2026-03-05','leads.read',2,4);
INSERT INTO "api_usage" VALUES('2026-03-05','organizations.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-05','person_fields.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-05','persons.list',1,10);
INSERT INTO "api_usage" VALUES('2026-03-05','pipelines.list',1,5);
INSERT INTO "api_usage" VALUES('2026-03-05','stages.list',1,5);
INSERT INTO "api_usage" VALUES('2026-03-05','users.me',1,2);
CREATE TABLE correspondence (
  sender TEXT NOT NULL,
  message INTEGER NOT NULL REFERENCES messages (id),
  verdict TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (sender, message)
) WITHOUT ROWID;
INSERT INTO "correspondence" VALUES('ada@acme.example',9,'contact','human');
INSERT INTO "correspondence" VALUES('bob@stone.example',4,'contact','human');
INSERT INTO "correspondence" VALUES('bob@stone.example',5,'contact','human');
INSERT INTO "correspondence" VALUES('bob@stone.example',6,'contact','human');
INSERT INTO "correspondence" VALUES('bob@stone.example',7,'contact','human');
INSERT INTO "correspondence" VALUES('bob@stone.example',8,'contact','human');
INSERT INTO "correspondence" VALUES('eve@noid.example',2,'contact','human');
INSERT INTO "correspondence" VALUES('jg@gross.example',3,'contact','human');
INSERT INTO "correspondence" VALUES('jg@gross.example',10,'contact','sent');
INSERT INTO "correspondence" VALUES('shop@news.example',1,'evidence','list-unsubscribe');
CREATE TABLE counts (
  what TEXT NOT NULL,
  value TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (what, value)
) WITHOUT ROWID;
INSERT INTO "counts" VALUES('messages','contact',9);
INSERT INTO "counts" VALUES('messages','evidence',1);
INSERT INTO "counts" VALUES('messages','ignored',0);
INSERT INTO "counts" VALUES('records','activity',9);
INSERT INTO "counts" VALUES('records','deal',2);
INSERT INTO "counts" VALUES('records','field',4);
INSERT INTO "counts" VALUES('records','lead',2);
INSERT INTO "counts" VALUES('records','organization',4);
INSERT INTO "counts" VALUES('records','person',4);
INSERT INTO "counts" VALUES('senders','ignore',1);
INSERT INTO "counts" VALUES('senders','lead',2);
INSERT INTO "counts" VALUES('senders','person_with_deal',2);
CREATE TABLE crm_deals (
  id INTEGER PRIMARY KEY, person_id INTEGER, organization_id INTEGER, title TEXT, status TEXT,
  archived INTEGER NOT NULL, stage_id INTEGER, mail_key TEXT, source_lead_id TEXT,
  sweep INTEGER NOT NULL
);
INSERT INTO "crm_deals" VALUES(1,1,1,'Bob Stone (stone.example)','open',0,2,'bob@stone.example',NULL,2);
INSERT INTO "crm_deals" VALUES(2,2,2,'Jürgen Groß (gross.example)','open',0,2,'jg@gross.example',NULL,2);
CREATE TABLE crm_emails (
  email TEXT NOT NULL,
  person_id INTEGER NOT NULL REFERENCES crm_persons (id) ON DELETE CASCADE,
  PRIMARY KEY (email, person_id)
) WITHOUT ROWID;
INSERT INTO "crm_emails" VALUES('bob@stone.example',1);
INSERT INTO "crm_emails" VALUES('jg@gross.example',2);
INSERT INTO "crm_emails" VALUES('ada@acme.example',3);
INSERT INTO "crm_emails" VALUES('eve@noid.example',4);
CREATE TABLE crm_leads (
  id TEXT PRIMARY KEY, person_id INTEGER, organization_id INTEGER, title TEXT,
  archived INTEGER NOT NULL, mail_key TEXT, sweep INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "crm_leads" VALUES('9925c66e-f83a-4d4b-8b33-b7d9246ff9ba',3,3,'Ada Byron (acme.example)',0,'ada@acme.example',2);
INSERT INTO "crm_leads" VALUES('f83af34d-a782-42ff-9589-9b750cf5fd75',4,4,'Eve (noid.example)',0,'eve@noid.example',2);
CREATE TABLE crm_organizations (
  id INTEGER PRIMARY KEY, name TEXT, name_key TEXT, domain TEXT, owner_id INTEGER, add_time TEXT,
  sweep INTEGER NOT NULL
);
INSERT INTO "crm_organizations" VALUES(1,'stone.example','stone.example','stone.example',1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_organizations" VALUES(2,'gross.example','gross.example','gross.example',1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_organizations" VALUES(3,'acme.example','acme.example','acme.example',1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_organizations" VALUES(4,'noid.example','noid.example','noid.example',1,'2026-03-04T09:00:00Z',2);
CREATE TABLE crm_persons (
  id INTEGER PRIMARY KEY, name TEXT, organization_id INTEGER, owner_id INTEGER, add_time TEXT,
  sweep INTEGER NOT NULL
);
INSERT INTO "crm_persons" VALUES(1,'Bob Stone',1,1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_persons" VALUES(2,'Jürgen Groß',2,1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_persons" VALUES(3,'Ada Byron',3,1,'2026-03-04T09:00:00Z',2);
INSERT INTO "crm_persons" VALUES(4,'Eve',4,1,'2026-03-04T09:00:00Z',2);
CREATE TABLE folders (
  id INTEGER PRIMARY KEY,
  mailbox TEXT NOT NULL,
  name TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('inbox', 'sent')),
  uidvalidity INTEGER,
  uidnext INTEGER,
  highestmodseq INTEGER,
  floor TEXT,
  scanned_at TEXT,
  polled_at TEXT,
  failures INTEGER NOT NULL DEFAULT 0,
  last_error TEXT,
  next_due TEXT,
  active INTEGER NOT NULL DEFAULT 1,
  UNIQUE (mailbox, name)
);
INSERT INTO "folders" VALUES(1,'sales','INBOX','inbox',1,10,NULL,NULL,'2026-03-05T10:00:00Z','2026-03-05T10:00:00Z',0,NULL,NULL,1);
INSERT INTO "folders" VALUES(2,'sales','Sent','sent',1,2,NULL,NULL,'2026-03-05T10:00:00Z','2026-03-05T10:00:00Z',0,NULL,NULL,1);
CREATE TABLE forgotten (hash TEXT PRIMARY KEY, forgotten_at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  action TEXT NOT NULL CHECK (action IN ('create', 'update', 'convert', 'archive')),
  sender TEXT,
  organization TEXT,
  stage INTEGER NOT NULL,
  fields TEXT NOT NULL,
  rank TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'waiting', 'parked', 'done')),
  version INTEGER NOT NULL,
  unknown INTEGER NOT NULL DEFAULT 0,
  conversion TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  not_before TEXT,
  last_error TEXT,
  planned_at TEXT NOT NULL,
  sent_at TEXT,
  done_at TEXT,
  run INTEGER
);
INSERT INTO "journal" VALUES(1,'field','thread_count','create',NULL,NULL,0,'{}','0','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(2,'field','last_contact','create',NULL,NULL,0,'{}','0','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(3,'field','avg_response_hours','create',NULL,NULL,0,'{}','0','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(4,'field','mail_key','create',NULL,NULL,0,'{}','0','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(5,'organization','stone.example','create',NULL,NULL,0,'{}','10','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(6,'person','bob@stone.example','create','bob@stone.example','stone.example',1,'{}','11','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(7,'deal','bob@stone.example','create','bob@stone.example','stone.example',2,'{}','12','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(8,'activity','00ff3d33b44ce5f5e5919a60440fe91d','create','bob@stone.example',NULL,3,'{}','498227536399','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(9,'activity','774565272d8d8d2f67816fe25daf1139','create','bob@stone.example',NULL,3,'{}','498227539999','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(10,'activity','df1b4fa541ec83006a43ba7de6d62068','create','bob@stone.example',NULL,3,'{}','498227543599','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(11,'activity','22ca96199d980651ad098e86c36d75d4','create','bob@stone.example',NULL,3,'{}','498227547199','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(12,'activity','c7bb6153f9d38f7cf7388f3d096f917b','create','bob@stone.example',NULL,3,'{}','498227550799','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(13,'organization','gross.example','create',NULL,NULL,0,'{}','10','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(14,'person','jg@gross.example','create','jg@gross.example','gross.example',1,'{}','11','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(15,'deal','jg@gross.example','create','jg@gross.example','gross.example',2,'{}','12','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(16,'activity','0e756398d5fcab659a24c7b93c9e0517','create','jg@gross.example',NULL,3,'{}','498227521999','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(17,'activity','bfd85438ab55db63f2d7576341e807b8','create','jg@gross.example',NULL,3,'{}','498227525599','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(18,'organization','acme.example','create',NULL,NULL,0,'{}','20','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(19,'person','ada@acme.example','create','ada@acme.example','acme.example',1,'{}','21','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(20,'lead','ada@acme.example','create','ada@acme.example','acme.example',2,'{}','22','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(21,'activity','5832208bb480fba249955e41a8c7fdae','create','ada@acme.example',NULL,3,'{}','498227554399','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(22,'organization','noid.example','create',NULL,NULL,0,'{}','20','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(23,'person','eve@noid.example','create','eve@noid.example','noid.example',1,'{}','21','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(24,'lead','eve@noid.example','create','eve@noid.example','noid.example',2,'{}','22','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
INSERT INTO "journal" VALUES(25,'activity','3d4d50a1d85c8cb3dc28245c351418af','create','eve@noid.example',NULL,3,'{}','498227518399','done',1,0,NULL,1,NULL,NULL,'2026-03-04T09:00:00Z','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL);
CREATE TABLE meetings (
  sender TEXT NOT NULL,
  uid TEXT NOT NULL,
  summary TEXT NOT NULL,
  starts_at TEXT,
  ends_at TEXT,
  status TEXT NOT NULL,
  organizer TEXT NOT NULL,
  counts INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  PRIMARY KEY (sender, uid)
) WITHOUT ROWID;
CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  message_id TEXT,
  direction TEXT CHECK (direction IN ('received', 'sent')),
  verdict TEXT NOT NULL CHECK (verdict IN ('contact', 'evidence', 'ignored')),
  reason TEXT NOT NULL,
  from_address TEXT,
  from_name TEXT,
  subject TEXT NOT NULL,
  snippet TEXT NOT NULL,
  date TEXT,
  arrived_at TEXT NOT NULL,
  sent_at TEXT NOT NULL,
  in_sent INTEGER NOT NULL,
  thread TEXT,
  size INTEGER NOT NULL,
  answers TEXT NOT NULL,
  invites TEXT,
  facts TEXT NOT NULL
);
INSERT INTO "messages" VALUES(1,'9a5b2cf7cca6652412ca90d9153b198d','n1@news.example','received','evidence','list-unsubscribe','shop@news.example','','Sale','Everything must go.','2026-03-02T21:00:00Z','2026-03-02T21:00:00Z','2026-03-02T21:00:00Z',0,NULL,260,'',NULL,'{"from": ["", "shop@news.example"], "to": [["", "sales@ours.example"]], "marks": ["list-unsubscribe"]}');
INSERT INTO "messages" VALUES(2,'3d4d50a1d85c8cb3dc28245c351418af',NULL,'received','contact','human','eve@noid.example','','No id here','My program gives no Message-ID to what I write to you.','2026-03-02T20:00:00Z','2026-03-02T20:00:00Z','2026-03-02T20:00:00Z',0,NULL,226,'',NULL,'{"from": ["", "eve@noid.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(3,'bfd85438ab55db63f2d7576341e807b8','c1@gross.example','received','contact','human','jg@gross.example','Jürgen Groß','Frage zur Lieferung für März','Guten Tag, wann kommt die Lieferung?','2026-03-02T18:00:00Z','2026-03-02T18:00:00Z','2026-03-02T18:00:00Z',0,NULL,316,'',NULL,'{"from": ["Jürgen Groß", "jg@gross.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(4,'00ff3d33b44ce5f5e5919a60440fe91d','b4@stone.example','received','contact','human','bob@stone.example','Bob Stone','Order 4','Here is order number 4 of this week, with the list attached.','2026-03-02T15:00:00Z','2026-03-02T15:00:00Z','2026-03-02T15:00:00Z',0,NULL,274,'',NULL,'{"from": ["Bob Stone", "bob@stone.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(5,'774565272d8d8d2f67816fe25daf1139','b3@stone.example','received','contact','human','bob@stone.example','Bob Stone','Order 3','Here is order number 3 of this week, with the list attached.','2026-03-02T14:00:00Z','2026-03-02T14:00:00Z','2026-03-02T14:00:00Z',0,NULL,274,'',NULL,'{"from": ["Bob Stone", "bob@stone.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(6,'df1b4fa541ec83006a43ba7de6d62068','b2@stone.example','received','contact','human','bob@stone.example','Bob Stone','Order 2','Here is order number 2 of this week, with the list attached.','2026-03-02T13:00:00Z','2026-03-02T13:00:00Z','2026-03-02T13:00:00Z',0,NULL,274,'',NULL,'{"from": ["Bob Stone", "bob@stone.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(7,'22ca96199d980651ad098e86c36d75d4','b1@stone.example','received','contact','human','bob@stone.example','Bob Stone','Order 1','Here is order number 1 of this week, with the list attached.','2026-03-02T12:00:00Z','2026-03-02T12:00:00Z','2026-03-02T12:00:00Z',0,NULL,274,'',NULL,'{"from": ["Bob Stone", "bob@stone.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(8,'c7bb6153f9d38f7cf7388f3d096f917b','b0@stone.example','received','contact','human','bob@stone.example','Bob Stone','Order 0','Here is order number 0 of this week, with the list attached.','2026-03-02T11:00:00Z','2026-03-02T11:00:00Z','2026-03-02T11:00:00Z',0,NULL,274,'',NULL,'{"from": ["Bob Stone", "bob@stone.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(9,'5832208bb480fba249955e41a8c7fdae','a1@acme.example','received','contact','human','ada@acme.example','Ada Byron','An offer, please','Could we talk about the offer for the forty chairs?','2026-03-02T10:00:00Z','2026-03-02T10:00:00Z','2026-03-02T10:00:00Z',0,NULL,272,'',NULL,'{"from": ["Ada Byron", "ada@acme.example"], "to": [["", "sales@ours.example"]]}');
INSERT INTO "messages" VALUES(10,'0e756398d5fcab659a24c7b93c9e0517','s1@ours.example','sent','contact','sent','sales@ours.example','','Re: Frage zur Lieferung für März','Sie kommt am Montag.','2026-03-02T19:00:00Z','2026-03-02T19:00:00Z','2026-03-02T19:00:00Z',1,NULL,302,'c1@gross.example',NULL,'{"from": ["", "sales@ours.example"], "to": [["", "jg@gross.example"]]}');
CREATE TABLE quarantine (
  folder INTEGER NOT NULL REFERENCES folders (id),
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  first_seen TEXT NOT NULL,
  not_before TEXT,
  PRIMARY KEY (folder, uidvalidity, uid)
) WITHOUT ROWID;
CREATE TABLE records (
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  pipedrive_id TEXT,
  origin TEXT NOT NULL CHECK (origin IN ('created', 'adopted')),
  fields TEXT NOT NULL,
  written_at TEXT,
  seen_at TEXT,
  tombstone TEXT,
  tombstone_at TEXT,
  reason TEXT,
  sender TEXT,
  run INTEGER,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
INSERT INTO "records" VALUES('activity','00ff3d33b44ce5f5e5919a60440fe91d','4','created','{"participants": ["bob@stone.example"], "subject": "Order 4", "due_date": "2026-03-02", "due_time": "15:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('activity','0e756398d5fcab659a24c7b93c9e0517','2','created','{"participants": ["jg@gross.example"], "subject": "Re: Frage zur Lieferung für März", "due_date": "2026-03-02", "due_time": "19:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'jg@gross.example',NULL);
INSERT INTO "records" VALUES('activity','22ca96199d980651ad098e86c36d75d4','7','created','{"participants": ["bob@stone.example"], "subject": "Order 1", "due_date": "2026-03-02", "due_time": "12:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('activity','3d4d50a1d85c8cb3dc28245c351418af','1','created','{"participants": ["eve@noid.example"], "subject": "No id here", "due_date": "2026-03-02", "due_time": "20:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'eve@noid.example',NULL);
INSERT INTO "records" VALUES('activity','5832208bb480fba249955e41a8c7fdae','9','created','{"participants": ["ada@acme.example"], "subject": "An offer, please", "due_date": "2026-03-02", "due_time": "10:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'ada@acme.example',NULL);
INSERT INTO "records" VALUES('activity','774565272d8d8d2f67816fe25daf1139','5','created','{"participants": ["bob@stone.example"], "subject": "Order 3", "due_date": "2026-03-02", "due_time": "14:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('activity','bfd85438ab55db63f2d7576341e807b8','3','created','{"participants": ["jg@gross.example"], "subject": "Frage zur Lieferung für März", "due_date": "2026-03-02", "due_time": "18:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'jg@gross.example',NULL);
INSERT INTO "records" VALUES('activity','c7bb6153f9d38f7cf7388f3d096f917b','8','created','{"participants": ["bob@stone.example"], "subject": "Order 0", "due_date": "2026-03-02", "due_time": "11:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('activity','df1b4fa541ec83006a43ba7de6d62068','6','created','{"participants": ["bob@stone.example"], "subject": "Order 2", "due_date": "2026-03-02", "due_time": "13:00:00"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('deal','bob@stone.example','1','created','{"title": "Bob Stone (stone.example)", "mail_key": "bob@stone.example", "owner": null}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('deal','jg@gross.example','2','created','{"title": "Jürgen Groß (gross.example)", "mail_key": "jg@gross.example", "owner": null}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'jg@gross.example',NULL);
INSERT INTO "records" VALUES('field','avg_response_hours','f6cf39e11a0d260cfb4b12db7fc42cdfd8a40498','created','{"of": "person", "name": "Avg response hours", "type": "double"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('field','last_contact','595082fc045f12918b2c483c240ceb77511de8f6','created','{"of": "person", "name": "Last contact", "type": "date"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('field','mail_key','c070a6f2dc70d897f0d69448263fd0feb1cc4756','created','{"of": "deal", "name": "Mail key", "type": "varchar"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('field','thread_count','aafb617521d217233c02d27629af02aa2c5d07fe','created','{"of": "person", "name": "Thread count", "type": "double"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('lead','ada@acme.example','9925c66e-f83a-4d4b-8b33-b7d9246ff9ba','created','{"title": "Ada Byron (acme.example)", "mail_key": "ada@acme.example", "owner": null}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'ada@acme.example',NULL);
INSERT INTO "records" VALUES('lead','eve@noid.example','f83af34d-a782-42ff-9589-9b750cf5fd75','created','{"title": "Eve (noid.example)", "mail_key": "eve@noid.example", "owner": null}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'eve@noid.example',NULL);
INSERT INTO "records" VALUES('organization','acme.example','3','created','{}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('organization','gross.example','2','created','{}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('organization','noid.example','4','created','{}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('organization','stone.example','1','created','{}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,NULL,NULL);
INSERT INTO "records" VALUES('person','ada@acme.example','3','created','{"name": "Ada Byron", "email": "ada@acme.example", "organization": "acme.example", "owner": null, "thread_count": 1, "last_contact": "2026-03-02", "avg_response_hours": null, "class": "lead"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'ada@acme.example',NULL);
INSERT INTO "records" VALUES('person','bob@stone.example','1','created','{"name": "Bob Stone", "email": "bob@stone.example", "organization": "stone.example", "owner": null, "thread_count": 5, "last_contact": "2026-03-02", "avg_response_hours": null, "class": "person_with_deal"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'bob@stone.example',NULL);
INSERT INTO "records" VALUES('person','eve@noid.example','4','created','{"name": "Eve", "email": "eve@noid.example", "organization": "noid.example", "owner": null, "thread_count": 1, "last_contact": "2026-03-02", "avg_response_hours": null, "class": "lead"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'eve@noid.example',NULL);
INSERT INTO "records" VALUES('person','jg@gross.example','2','created','{"name": "Jürgen Groß", "email": "jg@gross.example", "organization": "gross.example", "owner": null, "thread_count": 1, "last_contact": "2026-03-02", "avg_response_hours": null, "class": "person_with_deal"}','2026-03-04T09:00:00Z','2026-03-04T09:00:00Z',NULL,NULL,NULL,'jg@gross.example',NULL);
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, command TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT,
  outcome TEXT, messages INTEGER NOT NULL DEFAULT 0, writes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE senders (
  address TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  domain TEXT NOT NULL,
  organization TEXT,
  msg_count INTEGER NOT NULL,
  sent_count INTEGER NOT NULL,
  replies INTEGER NOT NULL,
  meetings INTEGER NOT NULL,
  thread_count INTEGER NOT NULL,
  first_contact TEXT,
  last_contact TEXT,
  avg_response_hours REAL,
  class TEXT NOT NULL CHECK (class IN ('ignore', 'lead', 'person_with_deal')),
  reason TEXT NOT NULL,
  notes TEXT NOT NULL DEFAULT '',
  mailbox TEXT,
  digest TEXT NOT NULL,
  version INTEGER NOT NULL,
  synced_version INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO "senders" VALUES('ada@acme.example','Ada Byron','acme.example','acme.example',1,0,0,0,1,'2026-03-02T10:00:00Z','2026-03-02T10:00:00Z',NULL,'lead','1 message','','sales','bf0d2d8df49c45d125ecebf49954845a',1,1);
INSERT INTO "senders" VALUES('bob@stone.example','Bob Stone','stone.example','stone.example',5,0,0,0,5,'2026-03-02T11:00:00Z','2026-03-02T15:00:00Z',NULL,'person_with_deal','5 messages','','sales','c8ab2e14c40e54c27c6a26ec56d3fdfb',2,2);
INSERT INTO "senders" VALUES('eve@noid.example','Eve','noid.example','noid.example',1,0,0,0,1,'2026-03-02T20:00:00Z','2026-03-02T20:00:00Z',NULL,'lead','1 message','','sales','32873fe0d0df9eb84d8dfd6a528d89c7',1,1);
INSERT INTO "senders" VALUES('jg@gross.example','Jürgen Groß','gross.example','gross.example',1,1,1,0,1,'2026-03-02T18:00:00Z','2026-03-02T19:00:00Z',NULL,'person_with_deal','1 reply','','sales','18af6da5aca6494cce7007a0c0fbc860',2,2);
INSERT INTO "senders" VALUES('shop@news.example','Shop','news.example','news.example',0,0,0,0,0,NULL,NULL,NULL,'ignore','no message that counts','','sales','532f8428123c35a0afae583a92dd7ff7',1,1);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "settings" VALUES('fields_written','["avg_response_hours", "last_contact", "thread_count"]');
INSERT INTO "settings" VALUES('listed_at:deal','"2026-03-05T10:00:00Z"');
INSERT INTO "settings" VALUES('listed_at:lead','"2026-03-05T10:00:00Z"');
INSERT INTO "settings" VALUES('listed_at:organization','"2026-03-05T10:00:00Z"');
INSERT INTO "settings" VALUES('listed_at:person','"2026-03-05T10:00:00Z"');
INSERT INTO "settings" VALUES('persons_unlisted_pages','0');
INSERT INTO "settings" VALUES('pipedrive_url','"https://sandbox.pipedrive.com"');
INSERT INTO "settings" VALUES('place','{"wanted": ["Sales", "Initial Contact", []], "at": "2026-03-05T10:00:00Z", "stage_id": 2, "owners": {}}');
INSERT INTO "settings" VALUES('reply_detection:sales','true');
INSERT INTO "settings" VALUES('search_spent','0');
INSERT INTO "settings" VALUES('sweep','2');
INSERT INTO "settings" VALUES('swept_at','"2026-03-05T10:00:00Z"');
CREATE TABLE sightings (
  folder INTEGER NOT NULL REFERENCES folders (id),
  uidvalidity INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  message INTEGER REFERENCES messages (id),
  PRIMARY KEY (folder, uidvalidity, uid)
) WITHOUT ROWID;
INSERT INTO "sightings" VALUES(1,1,1,9);
INSERT INTO "sightings" VALUES(1,1,2,8);
INSERT INTO "sightings" VALUES(1,1,3,7);
INSERT INTO "sightings" VALUES(1,1,4,6);
INSERT INTO "sightings" VALUES(1,1,5,5);
INSERT INTO "sightings" VALUES(1,1,6,4);
INSERT INTO "sightings" VALUES(1,1,7,3);
INSERT INTO "sightings" VALUES(1,1,8,2);
INSERT INTO "sightings" VALUES(1,1,9,1);
INSERT INTO "sightings" VALUES(2,1,1,10);
CREATE TABLE troubles (
  mailbox TEXT PRIMARY KEY,
  failures INTEGER NOT NULL,
  reason TEXT NOT NULL,
  failing_since TEXT NOT NULL,
  next_due TEXT
) WITHOUT ROWID;
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX messages_message_id ON messages (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX messages_from ON messages (from_address, in_sent);
CREATE INDEX messages_sent_at ON messages (sent_at);
CREATE INDEX sightings_message ON sightings (message) WHERE message IS NOT NULL;
CREATE INDEX senders_due ON senders (version) WHERE version > synced_version;
CREATE INDEX senders_organization ON senders (organization);
CREATE INDEX correspondence_message ON correspondence (message);
CREATE INDEX meetings_uid ON meetings (uid);
CREATE INDEX records_sender ON records (sender, kind);
CREATE INDEX records_pipedrive_id ON records (kind, pipedrive_id);
CREATE INDEX records_run ON records (run) WHERE run IS NOT NULL;
CREATE UNIQUE INDEX journal_open ON journal (kind, key) WHERE state <> 'done';
CREATE INDEX journal_due ON journal (rank) WHERE state IN ('planned', 'waiting');
CREATE INDEX journal_sender ON journal (sender, stage) WHERE state <> 'done';
CREATE INDEX journal_done ON journal (done_at) WHERE state = 'done';
CREATE INDEX crm_emails_person ON crm_emails (person_id);
CREATE INDEX crm_organizations_name ON crm_organizations (name_key);
CREATE INDEX crm_organizations_domain ON crm_organizations (domain) WHERE domain IS NOT NULL;
CREATE INDEX crm_persons_organization ON crm_persons (organization_id);
CREATE INDEX crm_deals_person ON crm_deals (person_id);
CREATE INDEX crm_deals_lead ON crm_deals (source_lead_id) WHERE source_lead_id IS NOT NULL;
CREATE INDEX crm_leads_person ON crm_leads (person_id);
CREATE VIEW pipeline AS
SELECT s.address AS sender, s.name, s.class, s.reason, s.organization,
       p.pipedrive_id AS person_id, l.pipedrive_id AS lead_id, d.pipedrive_id AS deal_id,
       json_extract(u.value, '$') ||
                  CASE WHEN d.pipedrive_id IS NOT NULL THEN '/deal/' || d.pipedrive_id
                       WHEN l.pipedrive_id IS NOT NULL THEN '/leads/inbox/' || l.pipedrive_id
                       ELSE '/person/' || p.pipedrive_id END AS url,
       s.msg_count, s.replies, s.meetings, s.last_contact
FROM senders s
LEFT JOIN records p ON p.kind = 'person' AND p.key = s.address AND p.tombstone IS NULL
LEFT JOIN records l ON l.kind = 'lead' AND l.key = s.address AND l.tombstone IS NULL
LEFT JOIN records d ON d.kind = 'deal' AND d.key = s.address AND d.tombstone IS NULL
LEFT JOIN settings u ON u.name = 'pipedrive_url'
WHERE s.class <> 'ignore';
CREATE VIEW waiting AS
SELECT kind, key, action, sender, state, attempts, not_before, last_error, planned_at
FROM journal WHERE state IN ('planned', 'sending', 'waiting');
CREATE VIEW parked AS
SELECT kind, key, action, sender, attempts, last_error, planned_at
FROM journal WHERE state = 'parked';
CREATE VIEW health AS
SELECT mailbox, name AS folder, role, polled_at, failures, last_error, next_due,
       (SELECT count(*) FROM quarantine q WHERE q.folder = f.id) AS quarantined
FROM folders f WHERE active;
CREATE INDEX journal_state ON journal (state, not_before);
CREATE INDEX records_written ON records (kind, written_at);
CREATE TRIGGER messages_insert_counts AFTER INSERT ON messages BEGIN UPDATE counts SET n = n + 1 WHERE what = 'messages' AND value = NEW.verdict AND true; END;
CREATE TRIGGER messages_delete_counts AFTER DELETE ON messages BEGIN UPDATE counts SET n = n - 1 WHERE what = 'messages' AND value = OLD.verdict AND true; END;
CREATE TRIGGER messages_update_counts AFTER UPDATE OF verdict ON messages BEGIN UPDATE counts SET n = n - 1 WHERE what = 'messages' AND value = OLD.verdict AND true; UPDATE counts SET n = n + 1 WHERE what = 'messages' AND value = NEW.verdict AND true; END;
CREATE TRIGGER senders_insert_counts AFTER INSERT ON senders BEGIN UPDATE counts SET n = n + 1 WHERE what = 'senders' AND value = NEW.class AND true; END;
CREATE TRIGGER senders_delete_counts AFTER DELETE ON senders BEGIN UPDATE counts SET n = n - 1 WHERE what = 'senders' AND value = OLD.class AND true; END;
CREATE TRIGGER senders_update_counts AFTER UPDATE OF class ON senders BEGIN UPDATE counts SET n = n - 1 WHERE what = 'senders' AND value = OLD.class AND true; UPDATE counts SET n = n + 1 WHERE what = 'senders' AND value = NEW.class AND true; END;
CREATE TRIGGER records_insert_counts AFTER INSERT ON records BEGIN UPDATE counts SET n = n + 1 WHERE what = 'records' AND value = NEW.kind AND NEW.tombstone IS NULL; END;
CREATE TRIGGER records_delete_counts AFTER DELETE ON records BEGIN UPDATE counts SET n = n - 1 WHERE what = 'records' AND value = OLD.kind AND OLD.tombstone IS NULL; END;
CREATE TRIGGER records_update_counts AFTER UPDATE OF kind, tombstone ON records BEGIN UPDATE counts SET n = n - 1 WHERE what = 'records' AND value = OLD.kind AND OLD.tombstone IS NULL; UPDATE counts SET n = n + 1 WHERE what = 'records' AND value = NEW.kind AND NEW.tombstone IS NULL; END;
COMMIT;
