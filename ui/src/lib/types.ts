// The objects of docs/api.md, as far as the page reads them.
export interface User {
  id: string;
  email: string;
  name: string;
  role: 'admin' | 'member';
  created_at: number;
}

export interface Status {
  version: string;
  setup_required: boolean;
}

export interface Failure {
  code: string;
  message: string;
}

export interface LastResponse {
  id: string;
  status: string;
  model: string;
  error: Failure | null;
  incomplete_details: { reason: string } | null;
}

export interface Conversation {
  id: string;
  created_at: number;
  updated_at: number;
  title: string | null;
  model: string | null;
  head_item_id: string | null;
  active_response_id: string | null;
  last_response: LastResponse | null;
}

export interface Part {
  type: string;
  text?: string;
  refusal?: string;
}

export interface Item {
  id: string;
  type: string;
  role: 'user' | 'assistant' | 'system' | 'developer';
  status: 'completed' | 'incomplete' | 'in_progress';
  content?: Part[];
  created_at?: number;
  response_id?: string | null;
  model?: string | null;
  truncated?: boolean;
  bytes?: number;
}

export interface List<T> {
  data: T[];
  first_id?: string | null;
  last_id?: string | null;
  has_more?: boolean;
}

export interface Model {
  id: string;
  owned_by: string;
  upstream?: string;
}

export interface UpstreamState {
  name: string;
  base_url: string;
  ok: boolean;
  error: string | null;
  source?: 'config' | 'stored';
}

export interface ModelList extends List<Model> {
  default_model: string | null;
  upstreams?: UpstreamState[];
}

export interface Found {
  name: string;
  base_url: string;
  models: string[];
}

export interface ApiKey {
  id: string;
  name: string;
  prefix: string;
  created_at: number;
  last_used_at: number | null;
  key?: string;
}

export interface SessionInfo {
  id: string;
  created_at: number;
  last_seen_at: number;
  user_agent: string;
  current: boolean;
}

export interface ResponseObject {
  id: string;
  status: string;
  model: string;
  error: Failure | null;
  incomplete_details: { reason: string } | null;
  output?: Item[];
}

// One event of a response stream. Unknown types pass the parser and are ignored by the reader.
export interface StreamEvent {
  type: string;
  sequence_number?: number;
  response?: ResponseObject;
  item?: Item;
  item_id?: string;
  delta?: string;
  text?: string;
  code?: string;
  message?: string;
  error?: Failure;
}

export function textOf(item: Item): string {
  let text = '';
  for (const part of item.content ?? []) text += part.text ?? part.refusal ?? '';
  return text;
}
