-- Of a revision: the name of the person who has chosen, on purpose, the account whose payment had failed. NULL where the
-- registry had another account. Part of the PI's content: a revision that is sent again is known to be meant so.
ALTER TABLE ifms.beneficiary ADD COLUMN same_account_by text
    CONSTRAINT same_account_has_a_name CHECK (btrim(same_account_by) <> '');
CREATE TRIGGER choice_is_frozen BEFORE UPDATE OF same_account_by ON ifms.beneficiary FOR EACH STATEMENT
    EXECUTE FUNCTION ifms.refuse_change('who has chosen the same account stays on record');
