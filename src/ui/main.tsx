import { render } from "preact"
import { startKeyboard } from "./core/keyboard.ts"
import { startRouter } from "./core/router.ts"
import { startSession } from "./core/session.ts"
import { startTheme } from "./core/theme.ts"
import { refreshAll, startPolling } from "./core/use-poll.ts"
import { App } from "./shell/app.tsx"

/** The entry: starts what listens to the browser, then draws the shell. */
startTheme()
startSession()
startRouter()
startPolling()
startKeyboard(refreshAll)

const root = document.getElementById("app")
if (root !== null) render(<App />, root)
