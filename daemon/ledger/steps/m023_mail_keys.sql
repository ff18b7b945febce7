-- Whose leads and deals are, by the marks on them.
CREATE INDEX crm_deals_mail_key ON crm_deals (mail_key) WHERE mail_key IS NOT NULL;
CREATE INDEX crm_leads_mail_key ON crm_leads (mail_key) WHERE mail_key IS NOT NULL;
