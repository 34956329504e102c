-- What the pages keep of those who use them, and the names that they show.

-- What people call cities and heads of account. Pages and reports read it here, and ask the platform for nothing.
CREATE TABLE ifms.display_name (
    kind        text NOT NULL CHECK (kind IN ('CITY', 'HEAD')),
    code        text NOT NULL CHECK (btrim(code) <> ''),
    name        text NOT NULL CHECK (btrim(name) <> ''),
    changed_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, code)
);
COMMENT ON TABLE ifms.display_name IS 'Names of cities (CITY) and heads of account (HEAD), as the platform''s master data had them when VA last read it. A name decides nothing.';

-- In which language somebody reads the pages, wherever they log in.
CREATE TABLE ifms.user_language (
    user_name  text PRIMARY KEY CHECK (user_name <> ''),
    language   text NOT NULL CHECK (language ~ '^[a-z]{2,3}$'),
    chosen_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ifms.user_language IS
    'The language in which a user reads the pages, by login name, as last chosen there.';

-- Searches that somebody has given a name.
CREATE TABLE ifms.saved_search (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner     text NOT NULL CHECK (btrim(owner) <> ''),
    name      text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 80),
    -- The fields of the list's form as its address has them: what is found is what their reader may see then.
    query     text NOT NULL CHECK (length(query) <= 4000),
    saved_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, name)
);
COMMENT ON TABLE ifms.saved_search IS 'Searches of the list of payment instructions that a user of the pages has given a name: theirs alone, and deleted when they say so.';
