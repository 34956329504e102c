-- What people call cities and heads of account. Pages and reports read it here, and ask the platform for nothing.
CREATE TABLE ifms.display_name (
    kind        text NOT NULL CHECK (kind IN ('CITY', 'HEAD')),
    code        text NOT NULL CHECK (btrim(code) <> ''),
    name        text NOT NULL CHECK (btrim(name) <> ''),
    changed_at  timestamptz NOT NULL DEFAULT now()
                CHECK (changed_at >= '2000-01-01 00:00+00' AND changed_at < '2100-01-01 00:00+00'),
    PRIMARY KEY (kind, code)
);
COMMENT ON TABLE ifms.display_name IS 'Names of cities (CITY) and heads of account (HEAD), as the platform''s master data had them when VA last read it. A name decides nothing.';
