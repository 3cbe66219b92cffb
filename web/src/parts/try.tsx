// A box to try the model with, where the hub has a server for it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type TryView } from '../api';
import { Card } from './small';
import { readableText } from '../text';

interface Turn { who: 'you' | 'model'; text: string }

const EVENT_BYTES_MAX = 1 << 20;

// The text in one event of a stream, as completions and chats bring it.
function pieceOf(data: string): string {
  try {
    const json = JSON.parse(data) as { choices?: { text?: string; delta?: { content?: string | null } }[] };
    const choice = json.choices?.[0];
    return choice?.text ?? choice?.delta?.content ?? '';
  } catch {
    return '';
  }
}

async function refusal(response: Response): Promise<string> {
  try {
    const body = await response.json() as { error?: { message?: string } | string };
    const { error } = body;
    return (typeof error === 'string' ? error : error?.message) ?? response.statusText;
  } catch {
    return response.statusText;
  }
}

// Asks, and hands on what comes while it comes. Throws what a person can read.
async function ask(path: string, body: object, signal: AbortSignal, heard: (text: string) => void): Promise<void> {
  const response = await fetch(path, { method: 'POST', signal, body: JSON.stringify({ ...body, stream: true }),
                                       headers: { 'Content-Type': 'application/json' } });
  if (!response.ok || !response.body) throw new Error(await refusal(response));
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    rest += decoder.decode(value, { stream: true });
    if (rest.length > EVENT_BYTES_MAX) throw new Error('the answer makes no sense');
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('data: ')) continue;
      if (line === 'data: [DONE]') return void reader.cancel();
      heard(pieceOf(line.slice(6)));
    }
  }
}

function useServer(): TryView | null {
  const [view, set] = useState<TryView | null>(null);
  useEffect(() => {
    let gone = false;
    void fetch('/view/try').then(async (response) => {
      if (response.ok && !gone) set(await response.json() as TryView);
    }).catch(() => undefined);
    return () => { gone = true; };
  }, []);
  return view?.attached ? view : null;
}

// `name`: only if the server's model is the one of this run; none: whatever it is.
export function TryModel(props: { name?: string }) {
  const server = useServer();
  if (!server || (props.name !== undefined && server.model !== props.name)) return null;
  return <Box server={server} />;
}

function Box(props: { server: TryView }) {
  const { server } = props;
  const [prompt, setPrompt] = useState('');
  const [chat, setChat] = useState(server.chat);
  const [turns, setTurns] = useState<Turn[]>([]);
  const [error, setError] = useState('');
  const [running, setRunning] = useState<AbortController | null>(null);
  const current = useRef<AbortController | null>(null);
  useEffect(() => () => current.current?.abort(), []);

  const begin = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (running) return;
    const control = new AbortController();
    current.current = control;
    setRunning(control);
    setError('');
    const before = chat ? turns : [];
    setTurns([...before, { who: 'you', text: prompt }, { who: 'model', text: '' }]);
    const heard = (text: string): void => setTurns((old) => {
      const last = old.at(-1);
      return last ? [...old.slice(0, -1), { who: 'model', text: last.text + text }] : old;
    });
    const words = { max_tokens: 256, temperature: 0.8 };
    const messages = [...before, { who: 'you', text: prompt }].map((turn) =>
      ({ role: turn.who === 'you' ? 'user' : 'assistant', content: turn.text }));
    try {
      await (chat ? ask('/v1/chat/completions', { ...words, messages }, control.signal, heard)
        : ask('/v1/completions', { ...words, prompt }, control.signal, heard));
      if (chat) setPrompt('');
    } catch (thrown) {
      if (!control.signal.aborted) setError(thrown instanceof Error ? thrown.message : String(thrown));
    } finally {
      setRunning(null);
    }
  };

  return (
    <Card title="Try the model" aside={<span class="quiet">{readableText(server.model)}</span>}>
      <form class="try" onSubmit={begin}>
        <label for="prompt">{chat ? 'Say something' : 'Begin a text; the model goes on from there'}</label>
        <textarea id="prompt" rows={3} maxLength={8000} value={prompt}
                  onInput={(event) => setPrompt(event.currentTarget.value)} />
        <div class="pager">
          <button type="submit" class="primary" disabled={running !== null}>{chat ? 'Send' : 'Let it write'}</button>
          <button type="button" disabled={running === null} onClick={() => running?.abort()}>Stop</button>
          {server.chat && (
            <label><input type="checkbox" checked={chat} disabled={running !== null}
                          onChange={(event) => { setChat(event.currentTarget.checked); setTurns([]); }} /> as a chat</label>
          )}
        </div>
      </form>
      {error && <p class="notice" role="alert">{error}</p>}
      {turns.length > 0 && (
        <div class="said" role="log" aria-label="What the model says" tabIndex={0} aria-busy={running !== null}>
          {chat
            ? turns.map((turn) => <p class={turn.who}><b>{turn.who}:</b> {readableText(turn.text)}</p>)
            : <pre dir="ltr"><b>{readableText(turns[0]?.text ?? '')}</b>{readableText(turns[1]?.text ?? '')}</pre>}
        </div>
      )}
      <p class="quiet">A model this small writes nonsense with confidence. Nothing you type here goes on the log.</p>
    </Card>
  );
}
