-- The tickets that an adopted table has. A migration of its own: from the one before each change is noted, and no writer waits for this.
select private.recount_tickets();
