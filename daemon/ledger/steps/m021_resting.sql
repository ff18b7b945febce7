-- What rests stands in `resting` alone; a copy of it was left behind by `retry`.
DELETE FROM conditions WHERE part = 'resting';
