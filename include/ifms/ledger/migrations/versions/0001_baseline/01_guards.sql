-- What must never happen is refused by the database, even to SQL written by hand: each rule is a constraint or a trigger
-- beside the table that it guards. Money is numeric(15,2) rupees, instants are timestamptz, the treasury's own dates are
-- dates (IST).

-- What a trigger names as its argument is refused: the answer to whoever changes what does not change.
CREATE FUNCTION ifms.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: %', TG_OP, TG_TABLE_NAME, TG_ARGV[0]
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$;

-- Rows of the Java adapter, and what was lost: only the ledger's owner writes them, and says so truly.
CREATE FUNCTION ifms.check_import() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of % imports rows into it', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = 'owner_imports';
    END IF;
    RETURN NEW;
END $$;

-- An account is never exchanged; its owner may seal the same account under another key (`ifms reseal`), and says so.
CREATE FUNCTION ifms.check_resealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('ifms.resealing', true), '') <> 'on' OR NEW.account_sealed IS NULL
       OR NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% on % is refused: an account that is known is frozen', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;

-- What is signed stays so; its owner may sign the same content under another key (`ifms reseal`), and says so.
CREATE FUNCTION ifms.check_signed_anew() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('ifms.resealing', true), '') <> 'on' OR OLD.signature IS NULL OR NEW.signature IS NULL
       OR NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION '% on % is refused: a signature is frozen', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
