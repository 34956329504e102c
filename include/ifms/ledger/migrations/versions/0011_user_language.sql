-- In which language somebody reads the pages, wherever they log in.
CREATE TABLE ifms.user_language (
    user_name text PRIMARY KEY CHECK (user_name <> ''),
    language text NOT NULL CHECK (language ~ '^[a-z]{2,3}$'),
    chosen_at timestamptz NOT NULL DEFAULT now()
        CHECK (chosen_at >= '2000-01-01 00:00+00' AND chosen_at < '2100-01-01 00:00+00')
);
COMMENT ON TABLE ifms.user_language IS
    'The language in which a user reads the pages, by login name, as last chosen there.';
