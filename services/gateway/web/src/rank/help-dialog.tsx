import { Dialog } from "../ui/dialog.js";
import { RANK_KEYS } from "./rank-keys.js";

/** How to rank, and the keys. */
export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="How to rank" onClose={onClose}>
      <p>
        Read the request and all answers. Give the best one rank 1, the next one rank 2, and so on.
        Answers that are equally good get the same rank. You can also drag the letters at the bottom
        of the page into order.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">What it does</th>
          </tr>
        </thead>
        <tbody>
          {RANK_KEYS.map(([keys, does]) => (
            <tr key={keys}>
              <td>
                <kbd>{keys}</kbd>
              </td>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <div class="actions">
        <button class="button primary" type="button" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
