// Numbers with units, times in the reader's zone, keys short enough to read.

export function loss(nanos: number | null | undefined): string {
  return nanos === null || nanos === undefined ? '–' : (nanos / 1e9).toFixed(4);
}

export function gain(nanos: number | null): string {
  if (nanos === null) return 'not measured';
  return `${nanos > 0 ? '+' : ''}${(nanos / 1e9).toFixed(4)}`;
}

export function credits(micros: number): string {
  const whole = micros / 1e6;
  return whole.toLocaleString(undefined, {
    minimumFractionDigits: 2, maximumFractionDigits: whole < 100 ? 3 : 2,
  });
}

export function percent(millis: number): string {
  return `${(millis / 10).toLocaleString(undefined, { maximumFractionDigits: 1 })} %`;
}

export function count(n: number): string {
  return n.toLocaleString();
}

export function compact(n: number): string {
  return n.toLocaleString(undefined, { notation: 'compact', maximumFractionDigits: 1 });
}

export function bytes(n: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let unit = 0;
  let value = n;
  while (value >= 1000 && unit + 1 < units.length) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toLocaleString(undefined, { maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1 })} ${units[unit]}`;
}

export function ms(value: number): string {
  if (value < 1000) return `${value} ms`;
  if (value < 120_000) return `${(value / 1000).toLocaleString(undefined, { maximumFractionDigits: 1 })} s`;
  return `${(value / 60_000).toLocaleString(undefined, { maximumFractionDigits: 1 })} min`;
}

export const short = (hex: string): string => hex.slice(0, 10);

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
export const time = (unixMs: number): string =>
  unixMs > 0 ? clock.format(new Date(unixMs)) : 'before the first tick';

const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' });
export function ago(unixMs: number, now: number): string {
  const seconds = Math.round((unixMs - now) / 1000);
  const steps: [number, Intl.RelativeTimeFormatUnit][] = [
    [60, 'second'], [60, 'minute'], [24, 'hour'], [30, 'day'], [12, 'month'], [1000, 'year']];
  let value = seconds;
  for (const [size, unit] of steps) {
    if (Math.abs(value) < size) return relative.format(Math.round(value), unit);
    value /= size;
  }
  return time(unixMs);
}

export const phases: Record<string, string> = {
  waiting_start: 'waits for its first weights',
  commit: 'volunteers train',
  score: 'validators score',
  closing: 'the round is being closed',
  finished: 'finished',
};
