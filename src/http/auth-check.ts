import { FLAG, TEXT } from "./rates-schema.ts"
import { ok, route } from "./route.ts"
import type { Route } from "./route.ts"
import { Type } from "./schema.ts"

/**
 * Whether a password is that of a user, for administrators, who could as well change it. A user without
 * tags, who cannot use this API, can be asked about, too.
 */
export const AUTH_CHECK_ROUTES: readonly Route[] = [
  route({
    method: "POST",
    path: "/api/auth/check",
    group: "Users",
    summary: "Whether a user logs in with a password",
    access: "administrator",
    body: Type.Object({ username: TEXT, password: TEXT }),
    responses: { 200: { doc: "The verdict", schema: Type.Object({ authenticated: FLAG }) } },
    async handle(api, { body, remoteAddress }) {
      const { username, password } = body
      const user = await api.administration.authenticate(username, password, remoteAddress)
      return ok({ authenticated: user !== null })
    },
  }),
]
