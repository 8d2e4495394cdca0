-- Times are nanoseconds since 1970, 0 for none; amounts are msat; lists of
-- words are separated by single spaces.

-- cursors: how far something that is followed has been booked (pay_index).
CREATE TABLE cursors (
    name     TEXT PRIMARY KEY,
    position BIGINT NOT NULL
);

CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- offered_terms: what this relay offers (retired 0) or has offered.
CREATE TABLE offered_terms (
    terms_hash TEXT PRIMARY KEY,
    line       TEXT NOT NULL,
    retired    BIGINT NOT NULL
);

-- payee_streams: what others pay to us. owed_msat is what the opening and the
-- rounds that were served come to; credit beyond it is excess at the close.
CREATE TABLE payee_streams (
    handle          TEXT PRIMARY KEY,
    payment_id_hash TEXT NOT NULL,
    terms           TEXT NOT NULL,
    relay           TEXT NOT NULL,
    round_ids       TEXT NOT NULL,
    started         BIGINT NOT NULL,
    elapsed         BIGINT NOT NULL,
    fee_msat        BIGINT NOT NULL,
    owed_msat       BIGINT NOT NULL,
    bytes           BIGINT NOT NULL,
    state           TEXT NOT NULL,
    reason          TEXT NOT NULL,
    moved_to        BIGINT NOT NULL,
    moved_round     BIGINT NOT NULL,
    continues       TEXT NOT NULL,
    continued_by    TEXT NOT NULL,
    continued       BOOLEAN NOT NULL,
    closed          BIGINT NOT NULL
);
CREATE INDEX payee_streams_closed ON payee_streams (closed, handle);

-- bookings: every payment to us, once.
CREATE TABLE bookings (
    payment_hash TEXT PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('credit', 'late', 'unclaimed')),
    handle       TEXT NOT NULL,
    round        BIGINT NOT NULL,
    pay_index    BIGINT NOT NULL,
    label        TEXT NOT NULL,
    note         TEXT NOT NULL,
    offer_id     TEXT NOT NULL,
    amount_msat  BIGINT NOT NULL CHECK (amount_msat >= 0),
    paid_at      BIGINT NOT NULL,
    booked_at    BIGINT NOT NULL
);
CREATE INDEX bookings_handle ON bookings (handle);
CREATE INDEX bookings_kind ON bookings (kind, paid_at);

-- payer_streams: what we pay to others. What was paid is the sum of payments.
CREATE TABLE payer_streams (
    handle     TEXT PRIMARY KEY,
    preimage   TEXT NOT NULL,
    terms      TEXT NOT NULL,
    relay      TEXT NOT NULL,
    round_ids  TEXT NOT NULL,
    circuit    TEXT NOT NULL,
    path       TEXT NOT NULL,
    hop        BIGINT NOT NULL,
    controller TEXT NOT NULL,
    no_pay     BOOLEAN NOT NULL,
    started    BIGINT NOT NULL,
    fee_msat   BIGINT NOT NULL,
    state      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    continues  TEXT NOT NULL,
    opened     BIGINT NOT NULL,
    closed     BIGINT NOT NULL
);
CREATE INDEX payer_streams_closed ON payer_streams (closed, handle);

-- payments: every payment by us. What fixes its payer_metadata names it.
CREATE TABLE payments (
    handle       TEXT NOT NULL,
    note         TEXT NOT NULL,
    amount_msat  BIGINT NOT NULL CHECK (amount_msat >= 0),
    attempt      BIGINT NOT NULL,
    round        BIGINT NOT NULL,
    through      BIGINT NOT NULL,
    max_fee_msat BIGINT NOT NULL CHECK (max_fee_msat >= 0),
    step         TEXT NOT NULL CHECK (step IN ('intent', 'invoice', 'paying', 'paid', 'failed')),
    invoice      TEXT NOT NULL,
    payment_hash TEXT NOT NULL,
    expires      BIGINT NOT NULL,
    paying       BIGINT NOT NULL,
    sent_msat    BIGINT NOT NULL,
    created      BIGINT NOT NULL,
    settled      BIGINT NOT NULL,
    controller   TEXT NOT NULL,
    circuit      TEXT NOT NULL,
    PRIMARY KEY (handle, note, amount_msat, attempt)
);
CREATE INDEX payments_step ON payments (step, settled);

-- days: what is left of what was forgotten, one line a day and account.
CREATE TABLE days (
    day         BIGINT NOT NULL,
    account     TEXT NOT NULL,
    payments    BIGINT NOT NULL,
    amount_msat BIGINT NOT NULL,
    PRIMARY KEY (day, account)
);
