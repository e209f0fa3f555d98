import { type Shape, struct } from '../shape.ts';
import { labels } from './common.ts';

/** `docker events`. */
export const eventShape: Shape = struct('*events.Message', {
  'Status:status?': 'string',
  'ID:id?': 'string',
  'From:from?': 'string',
  Type: 'string',
  Action: 'string',
  Actor: struct('events.Actor', { ID: 'string', Attributes: labels }),
  'Scope:scope?': 'string',
  'Time:time?': 'int',
  'TimeNano:timeNano?': 'int',
});
