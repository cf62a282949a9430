/** What a role may be offered; what it may do the database decides. */
import { ROLE } from "./words.ts";

export const isStaff = (role: string) => role in ROLE && role !== "citizen";
/** Messages of sensitive tickets are police liaison's and admins' to move. */
export const movesMessages = (role: string, sensitive: boolean) =>
  sensitive ? seesSensitive(role) : role === "manager" || role === "admin";
export const seesSensitive = (role: string) => role === "admin" || role === "saps_liaison";
