-- An account of the system is the opposite of all customers' accounts of a currency, and ten balances of 10^12 units do not fit 64 bits.
ALTER TABLE accounts MODIFY COLUMN balance_micros DECIMAL(38, 0) NOT NULL DEFAULT 0;
