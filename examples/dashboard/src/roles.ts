/** What a role may be offered; what it may do the database decides. */
import { ROLE } from "./words.ts";

export const isStaff = (role: string) => role in ROLE && role !== "citizen";
export const seesSensitive = (role: string) => role === "admin" || role === "saps_liaison";
