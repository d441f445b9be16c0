// The objects of docs/api.md, as far as the page reads them.
export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
  created_at: number;
}

export type Role = 'admin' | 'member' | 'pending';

// A user as administrators see one. `password` only in the answer of the call that made it.
export interface Person extends User {
  suspended_at: number | null;
  password?: string;
}

// `path` only in the answer of the call that made it.
export interface Invitation {
  id: string;
  note: string;
  role: Role;
  status: 'open' | 'used' | 'expired';
  uses: number;
  uses_max: number;
  created_at: number;
  expires_at: number;
  path?: string;
}

export type SignUpMode = 'off' | 'invitation' | 'open';

export interface Status {
  version: string;
  setup_required: boolean;
  signup?: SignUpMode;
  sign_in?: { password: boolean; openid: { name: string } | null; single_user: boolean };
}

export interface Me {
  user: User;
  sharing?: boolean; // chats may be shared by a link
  signed_in_by?: 'session' | 'surroundings'; // a proxy in front, or being on the server's own machine
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
  pinned?: boolean;
  archived?: boolean;
  folder_id?: string | null;
  tags?: string[];
  // In the trash since.
  deleted_at?: number | null;
  compaction?: 'auto' | 'off' | null;
}

// Where an item stands among those that follow the same item.
export interface Siblings {
  index: number;
  count: number;
  previous_id: string | null;
  next_id: string | null;
}

export interface Part {
  type: string;
  text?: string;
  refusal?: string;
  // Images: a file of this server's, or an address elsewhere.
  file_id?: string | null;
  image_url?: string | null;
  // In what is shared: which of the parts it is.
  image?: number;
}

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  total_tokens: number;
  input_tokens_details?: { cached_tokens?: number } | null;
  output_tokens_details?: { reasoning_tokens?: number } | null;
}

export interface Timing {
  first_token_ms: number;
  duration_ms: number;
  tokens_per_second: number | null;
}

// Messages, reasoning, function calls and their outputs; other types are kept and shown as they came.
export interface Item {
  id: string;
  type: string;
  role?: 'user' | 'assistant' | 'system' | 'developer';
  status?: 'completed' | 'incomplete' | 'in_progress' | null;
  content?: Part[];
  // reasoning
  summary?: Part[];
  // function_call and function_call_output
  call_id?: string;
  name?: string;
  arguments?: string;
  output?: string | Part[];
  // of an answer
  usage?: Usage | null;
  timing?: Timing | null;
  created_at?: number;
  response_id?: string | null;
  model?: string | null;
  truncated?: boolean;
  bytes?: number;
  // 1 for the first item of a path; the item before it; its alternatives, where there are any.
  position?: number;
  parent_id?: string | null;
  siblings?: Siblings | null;
}

export interface List<T> {
  data: T[];
  first_id?: string | null;
  last_id?: string | null;
  has_more?: boolean;
}

// A page of one path through a conversation: the one that ends with `leaf_id` and has `head_position` items.
export interface ItemPage extends List<Item> {
  has_older?: boolean;
  has_newer?: boolean;
  leaf_id?: string | null;
  head_position?: number;
}

export interface Folder {
  id: string;
  name: string;
  conversations: number;
}

export interface Tag {
  name: string;
  conversations: number;
}

export interface BulkResult {
  done: number;
  failed: { id: string; code: string; message: string }[];
}

export interface Hit {
  conversation_id: string;
  conversation_title: string | null;
  // Null: the title matched.
  item_id: string | null;
  role: string | null;
  model: string | null;
  created_at: number;
  snippet: { text: string; hit: boolean }[];
}

export interface Hits {
  data: Hit[];
  has_more: boolean;
  next: string | null;
  pending: number;
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
  slots?: number; // requests at once; 0: as many as it bears
  models?: string[]; // that it listed
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
  expires_at: number | null;
  models: string[]; // names or patterns; empty: all
  read_only: boolean;
  usage: { requests: number; input_tokens: number; output_tokens: number; cost: number }; // this month
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
  usage?: Usage | null;
  timing?: Timing | null;
}

export interface StoredFile {
  id: string;
  bytes: number;
  filename: string;
  media_type?: string;
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

const joined = (parts: readonly Part[] | undefined) => {
  let text = '';
  for (const part of parts ?? []) text += part.text ?? '';
  return text;
};

// What there is to read in an item: a message's words without a refusal, the thoughts, a call's arguments, an output.
export function textOf(item: Item): string {
  switch (item.type) {
    case 'message':
      return joined(item.content);
    case 'reasoning':
      // Some servers give the thoughts themselves, as content, instead of a summary.
      return (item.summary ?? []).map((part) => part.text ?? '').join('\n\n') || joined(item.content);
    case 'function_call':
      return item.arguments ?? '';
    case 'function_call_output':
      return typeof item.output === 'string' ? item.output : joined(item.output);
    default:
      return joined(item.content);
  }
}

export function refusalOf(item: Item): string {
  let text = '';
  for (const part of item.content ?? []) text += part.refusal ?? '';
  return text;
}

export function imagesOf(item: Item): Part[] {
  const parts = Array.isArray(item.output) ? item.output : item.content;
  return (parts ?? []).filter((part) => part.type === 'input_image');
}

export const isAnswer = (item: Item) => item.type === 'message' && item.role === 'assistant';

// Did a model make this, as opposed to a person or a program?
export const ofModel = (item: Item) => isAnswer(item) || item.type === 'reasoning' || item.type === 'function_call';
