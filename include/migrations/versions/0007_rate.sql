-- When the next call to the treasury may begin, per account there (client id and address): whoever wants to call moves
-- it on, so all workers share one limit, by this database's clock. What a killed worker has reserved just passes.
CREATE TABLE ifms.call_rate (
    account  text PRIMARY KEY,
    next_at  timestamptz NOT NULL
);
