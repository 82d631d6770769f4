import type { People } from "../../../src/http/api/index.js";
import { EmptyState, ErrorNotice, Loading } from "../ui/notice.js";
import { useLoad } from "../ui/use-load.js";
import { AgreementSection } from "./agreement-section.js";
import { DisagreementSection } from "./disagreement-section.js";
import { InviteForm } from "./invite-form.js";
import { PersonRow } from "./person-row.js";

/** People: who takes part, how they work, and how far they agree. */
export function PeoplePage() {
  const { data, error, reload } = useLoad<People>("people");
  return (
    <>
      <h1 tabIndex={-1}>People</h1>
      <p class="lead">Invite people, see their work, and see where they disagree.</p>
      <InviteForm onInvited={reload} />
      <ErrorNotice error={error} retry={reload} />
      {!data && !error && <Loading />}
      {data && data.people.length <= 1 && (
        <EmptyState title="You are alone so far">
          <p>
            Invite people above and send each the link. Two or more who rank the same comparisons
            show how far they agree.
          </p>
        </EmptyState>
      )}
      {data && data.people.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Everybody">
          <table>
            <caption class="sr">Everybody who takes part</caption>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">May</th>
                <th scope="col" class="n">
                  Rankings
                </th>
                <th scope="col" class="n">
                  Examples
                </th>
                <th scope="col" class="n">
                  Flags
                </th>
                <th scope="col" class="n">
                  Skips
                </th>
                <th scope="col" class="n">
                  Time each
                </th>
                <th scope="col" class="n">
                  Gold right
                </th>
                <th scope="col">Last here</th>
                <th scope="col">
                  <span class="sr">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {data.people.map((person) => (
                <PersonRow person={person} key={person.personId} onChanged={reload} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <AgreementSection />
      <DisagreementSection />
    </>
  );
}
