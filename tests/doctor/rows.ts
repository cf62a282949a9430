/** Rows for the doctor to find. */
/** Mbombela, of supabase/seed.sql. */
export const TENANT = "a1b0de1a-0000-4000-8000-000000000001";
export const FILE = "0d0c704e-0000-4000-8000-000000000001";
/** As a superuser may, past triggers and foreign keys. */
export const WITHOUT_TRIGGERS = "set local session_replication_role = replica";
export const day = (offset: number) =>
  new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 10).replaceAll("-", "_");

/** A file's row; `fields` are further columns and their values. */
export function file(fields: Record<string, string>): string {
  const all = {
    file_id: `'${FILE}'`,
    tenant_id: `'${TENANT}'`,
    bucket: "'evidence'",
    path: `'${TENANT}/${FILE}/photo.jpg'`,
    filename: "'photo.jpg'",
    content_type: "'image/jpeg'",
    purpose: "'evidence'",
    next_attempt_at: "null",
    ...fields,
  };
  return `insert into public.media_attachments (${Object.keys(all).join()}) values (${
    Object.values(all).join()
  })`;
}
/** A GBV report, its two tokens sealed with the key of this id. */
export function message(sealedWith: string): string {
  return `select public.record_inbound_message('SM${"0".repeat(32)}', 'sms', '+27130000002', '{${
    "x".repeat(20)
  }}', 'text',
    'gAAAAA', '[]', encrypted_description => 'gAAAAA', sealed_with => '${sealedWith}')`;
}
export const OBJECT = `insert into storage.objects (bucket_id, name, version)
  values ('evidence', '${TENANT}/${FILE}/photo.jpg', '1')`;
