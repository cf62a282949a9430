// A machine whose clock is an hour ahead: loaded before a command.
const now = Date.now;
Date.now = () => now() + 3_600_000;
