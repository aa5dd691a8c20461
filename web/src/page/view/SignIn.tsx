/** Signs a browser in: with a token, with name and passphrase, or, invited, with a name. */

import { useState } from "react";
import { link, type Session, signIn } from "../state/session.ts";

interface Props {
  readonly isInvited: boolean;
  readonly problem: string | null;
  readonly onDone: (session: Session) => void;
}

export function SignIn({ isInvited, problem: first, onDone }: Props): React.ReactNode {
  const [problem, setProblem] = useState(first);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: React.FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const field = (name: string): string => String(given.get(name) ?? "");
    const what: Record<string, string> = isInvited
      ? { link: link ?? "", name: field("name") }
      : field("token") !== ""
        ? { token: field("token") }
        : { name: field("name"), passphrase: field("passphrase") };
    setBusy(true);
    try {
      onDone(await signIn(what));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="sign-in">
      <h1>Headrace</h1>
      <form onSubmit={(event) => void submit(event)}>
        {isInvited ? (
          <>
            <p>You are invited. Choose the name by which others know you.</p>
            <Field label="Name" name="name" autoComplete="username" maxLength={64} required />
          </>
        ) : (
          <>
            <p>Sign in with a token, or with your name and passphrase.</p>
            <Field label="Token" name="token" type="password" autoComplete="off" maxLength={200} />
            <p className="or">or</p>
            <Field label="Name" name="name" autoComplete="username" maxLength={64} />
            <Field label="Passphrase" name="passphrase" type="password" autoComplete="current-password" maxLength={1024} />
          </>
        )}
        <button type="submit" className="primary" disabled={isBusy}>
          {isInvited ? "Join" : "Sign in"}
        </button>
      </form>
      <div role="alert">{problem !== null && <p className="notice problem">{problem}</p>}</div>
    </main>
  );
}

function Field({ label, ...input }: { readonly label: string } & React.InputHTMLAttributes<HTMLInputElement>): React.ReactNode {
  return (
    <label>
      {label}
      <input {...input} />
    </label>
  );
}
