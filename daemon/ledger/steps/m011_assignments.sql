-- Owners who take turns.
CREATE TABLE assignments ( /* Which of a route's owners has what, so that they take turns. */
  route TEXT NOT NULL,
  key TEXT NOT NULL,              /* organization, or the address of a sender without one */
  owner TEXT NOT NULL,            /* e-mail address of the Pipedrive user */
  PRIMARY KEY (route, key)
) WITHOUT ROWID;
