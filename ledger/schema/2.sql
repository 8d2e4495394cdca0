-- The last payment that was followed tells whether the node still remembers it: one
-- restored from an older state gives its pay_index to another. Books from before
-- go back to the last payment that they have; what follows it is walked again.
ALTER TABLE cursors ADD COLUMN payment_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE cursors ADD COLUMN paid_at BIGINT NOT NULL DEFAULT 0;

UPDATE cursors SET position = COALESCE((SELECT MAX(b.pay_index) FROM bookings b WHERE b.pay_index <= cursors.position), position)
    WHERE name = 'pay_index';
UPDATE cursors SET
    payment_hash = COALESCE((SELECT MAX(b.payment_hash) FROM bookings b WHERE b.pay_index = cursors.position), ''),
    paid_at = COALESCE((SELECT MAX(b.paid_at) FROM bookings b WHERE b.pay_index = cursors.position), 0)
    WHERE name = 'pay_index';
