/** A plan as one statement: nobody is kept waiting by the distance between the operator and the database. */
import { literal } from "./facts.ts";
import type { Plan } from "./plan.ts";

/** What is locked first, where it is there; then what policies and dropped triggers lock (supautils), all at once. */
const LOCKED = ["public.tickets", "storage.objects", "realtime.messages"];
/** Milliseconds that others wait for a try. As private.lock_tables, which a second uninstall no longer finds. */
const BUDGET = 250;

/**
 * Locks, looks whether the plan still holds, and does it, in one transaction. Raises 55P03 where somebody holds what it needs,
 * 40001 where something came that the plan does not know; else an error of a step, which its message begins with.
 */
export function transactionOf({ steps, unfound }: Plan): string {
  const statements = steps.flatMap(({ what, statements }) =>
    statements.map((statement) => ({ what, statement }))
  );
  const came = unfound.map((query) => `exists (${query})`).join("\n    or ") || "false";
  return `do ${
    literal(`
declare
  begun constant timestamptz := clock_timestamp();
  target text;
  step record;
begin
  perform set_config('search_path', '', true);
  for target in
    select to_regclass(t.name)::text from (
      select n.name, 0 as source, n.nr from unnest(array[${
      LOCKED.map(literal).join(", ")
    }]) with ordinality n (name, nr)
      union all
      select n.name, s.source, n.nr
      from (values ('supautils.policy_grants', 1), ('supautils.drop_trigger_grants', 2)) s (name, source)
      cross join jsonb_array_elements_text(nullif(current_setting(s.name, true), '')::jsonb -> current_user::text)
        with ordinality n (name, nr)
    ) t
    where to_regclass(t.name) is not null
    order by t.source, t.nr
  loop
    perform set_config('lock_timeout',
      greatest(1, ${BUDGET} - extract(milliseconds from clock_timestamp() - begun)::integer)::text, true);
    begin
      execute format('lock table only %s in access exclusive mode', target);
    exception
      when lock_not_available then
        raise exception using errcode = '55P03', message = format('%s is in use by another transaction', target);
    end;
  end loop;
  perform set_config('lock_timeout', '300ms', true);
  if ${came} then
    raise exception using errcode = '40001', message = 'something came meanwhile';
  end if;
  for step in select * from jsonb_to_recordset(${
      literal(JSON.stringify(statements))
    }::jsonb) as s (what text, statement text) loop
    begin
      execute step.statement;
    exception
      when others then
        declare
          problem_detail text;
        begin
          get stacked diagnostics problem_detail = pg_exception_detail;
          raise exception using errcode = sqlstate, message = step.what || ': ' || sqlerrm, detail = problem_detail;
        end;
    end;
  end loop;
end`)
  }`;
}
