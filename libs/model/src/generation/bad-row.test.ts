import { describeBadRow } from "../../test/bad-row.js";

describeBadRow("auto");
