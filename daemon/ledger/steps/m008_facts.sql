-- What forms and signatures say about a sender.
CREATE TABLE sender_facts ( /* What a sender's forms and signatures say: the newest of each kind. */
  sender TEXT NOT NULL,
  kind TEXT NOT NULL,             /* phone, title, company */
  value TEXT NOT NULL,
  source TEXT NOT NULL,           /* form; from: the signature; forward: that of a forwarded mail */
  PRIMARY KEY (sender, kind)
) WITHOUT ROWID;
