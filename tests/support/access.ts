/** The table of docs/access.md as data: every cell is tested through Storage and the functions. */
import type { Bucket } from "../../shared/contracts.ts";
import type { Role } from "./stack.ts";

export const BUCKETS = ["evidence", "documents", "gbv-evidence"] as const satisfies Bucket[];

export const MAY_UPLOAD: Record<Bucket, Role[]> = {
  "evidence": ["citizen", "field_worker", "ward_councillor", "manager", "admin", "saps_liaison"],
  "documents": ["citizen", "field_worker", "ward_councillor", "manager", "admin", "saps_liaison"],
  "gbv-evidence": ["manager", "admin", "saps_liaison"],
};

/** Files of others in the own municipality; a citizen reads only his own. */
export const MAY_READ: Record<Bucket, Role[]> = {
  "evidence": ["field_worker", "ward_councillor", "manager", "admin", "saps_liaison"],
  "documents": ["field_worker", "ward_councillor", "manager", "admin", "saps_liaison"],
  "gbv-evidence": ["admin", "saps_liaison"],
};

export const SEE_SENSITIVE: Role[] = ["admin", "saps_liaison"];
export const WRITE_TICKETS: Role[] = ["manager", "admin"];
