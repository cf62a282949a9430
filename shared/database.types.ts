// Made by `npm run types`.
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "custody_audits": {
        Row: {
          "fault": string | null;
          "fault_seq": number | null;
          "files_checked": number;
          "finished_at": string | null;
          "last_file": string;
          "records_checked": number;
          "size": number;
          "started_at": string;
          "tenant_id": string;
        };
        ComputedFields: never;
        Insert: {
          "fault"?: string | null;
          "fault_seq"?: number | null;
          "files_checked"?: number;
          "finished_at"?: string | null;
          "last_file"?: string;
          "records_checked"?: number;
          "size": number;
          "started_at"?: string;
          "tenant_id": string;
        };
        Update: {
          "fault"?: string | null;
          "fault_seq"?: number | null;
          "files_checked"?: number;
          "finished_at"?: string | null;
          "last_file"?: string;
          "records_checked"?: number;
          "size"?: number;
          "started_at"?: string;
          "tenant_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "custody_audits_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
      "custody_checkpoints": {
        Row: {
          "created_at": string;
          "key_id": string;
          "note": string;
          "root": string;
          "size": number;
          "tenant_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "key_id": string;
          "note": string;
          "root": string;
          "size": number;
          "tenant_id": string;
        };
        Update: {
          "created_at"?: string;
          "key_id"?: string;
          "note"?: string;
          "root"?: string;
          "size"?: number;
          "tenant_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "custody_checkpoints_key_id_fkey";
            columns: ["key_id"];
            isOneToOne: false;
            referencedRelation: "custody_keys";
            referencedColumns: ["key_id"];
          },
          {
            foreignKeyName: "custody_checkpoints_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
      "custody_keys": {
        Row: {
          "key_id": string;
          "name": string;
          "public_key": string;
          "valid_from": string;
          "valid_until": string | null;
        };
        ComputedFields: never;
        Insert: {
          "key_id": string;
          "name": string;
          "public_key": string;
          "valid_from"?: string;
          "valid_until"?: string | null;
        };
        Update: {
          "key_id"?: string;
          "name"?: string;
          "public_key"?: string;
          "valid_from"?: string;
          "valid_until"?: string | null;
        };
        Relationships: [];
      };
      "custody_records": {
        Row: {
          "details": NonNullable<Json>;
          "event": string;
          "file_id": string | null;
          "hash": string;
          "id": string;
          "recorded_at": string;
          "seq": number | null;
          "tenant_id": string;
          "ticket_id": string | null;
          "user_id": string | null;
          "user_role": string | null;
        };
        ComputedFields: never;
        Insert: {
          "details": NonNullable<Json>;
          "event": string;
          "file_id"?: string | null;
          "hash": string;
          "id": string;
          "recorded_at": string;
          "seq"?: number | null;
          "tenant_id": string;
          "ticket_id"?: string | null;
          "user_id"?: string | null;
          "user_role"?: string | null;
        };
        Update: {
          "details"?: NonNullable<Json>;
          "event"?: string;
          "file_id"?: string | null;
          "hash"?: string;
          "id"?: string;
          "recorded_at"?: string;
          "seq"?: number | null;
          "tenant_id"?: string;
          "ticket_id"?: string | null;
          "user_id"?: string | null;
          "user_role"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "custody_records_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
      "custody_timestamps": {
        Row: {
          "attempts": number;
          "authority": string;
          "last_error": string | null;
          "next_attempt_at": string | null;
          "size": number;
          "stamped_at": string | null;
          "tenant_id": string;
          "token": string | null;
        };
        ComputedFields: never;
        Insert: {
          "attempts"?: number;
          "authority": string;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "size": number;
          "stamped_at"?: string | null;
          "tenant_id": string;
          "token"?: string | null;
        };
        Update: {
          "attempts"?: number;
          "authority"?: string;
          "last_error"?: string | null;
          "next_attempt_at"?: string | null;
          "size"?: number;
          "stamped_at"?: string | null;
          "tenant_id"?: string;
          "token"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "custody_timestamps_tenant_id_size_fkey";
            columns: ["tenant_id", "size"];
            isOneToOne: false;
            referencedRelation: "custody_checkpoints";
            referencedColumns: ["tenant_id", "size"];
          },
        ];
      };
      "inbound_messages": {
        Row: {
          "body": string | null;
          "channel": string;
          "channel_number": string;
          "encrypted_payload": string;
          "is_sensitive": boolean;
          "kind": string;
          "latitude": number | null;
          "longitude": number | null;
          "message_sid": string;
          "place": string | null;
          "received_at": string;
          "reply": string;
          "sealed_with": string | null;
          "sender_id": string;
          "sender_refs": (string)[];
          "tenant_id": string;
          "ticket_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "body"?: string | null;
          "channel": string;
          "channel_number": string;
          "encrypted_payload": string;
          "is_sensitive"?: boolean;
          "kind": string;
          "latitude"?: number | null;
          "longitude"?: number | null;
          "message_sid": string;
          "place"?: string | null;
          "received_at"?: string;
          "reply": string;
          "sealed_with"?: string | null;
          "sender_id": string;
          "sender_refs": (string)[];
          "tenant_id": string;
          "ticket_id"?: string | null;
        };
        Update: {
          "body"?: string | null;
          "channel"?: string;
          "channel_number"?: string;
          "encrypted_payload"?: string;
          "is_sensitive"?: boolean;
          "kind"?: string;
          "latitude"?: number | null;
          "longitude"?: number | null;
          "message_sid"?: string;
          "place"?: string | null;
          "received_at"?: string;
          "reply"?: string;
          "sealed_with"?: string | null;
          "sender_id"?: string;
          "sender_refs"?: (string)[];
          "tenant_id"?: string;
          "ticket_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "inbound_messages_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "inbound_messages_ticket_fkey";
            columns: ["tenant_id", "ticket_id"];
            isOneToOne: false;
            referencedRelation: "tickets";
            referencedColumns: ["tenant_id", "id"];
          },
        ];
      };
      "media_attachments": {
        Row: {
          "attempts": number;
          "bucket": string;
          "content_type": string;
          "created_at": string;
          "created_by": string | null;
          "custody_salt": string | null;
          "declared_sha256": string | null;
          "file_id": string;
          "file_size": number | null;
          "filename": string;
          "is_sensitive": boolean;
          "last_error": string | null;
          "media_index": number | null;
          "message_sid": string | null;
          "moved_from": string | null;
          "next_attempt_at": string | null;
          "path": string;
          "purpose": string;
          "read_back_at": string | null;
          "read_back_sha256": string | null;
          "sha256": string | null;
          "source": string;
          "status": string;
          "stored_at": string | null;
          "tenant_id": string;
          "ticket_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "attempts"?: number;
          "bucket": string;
          "content_type": string;
          "created_at"?: string;
          "created_by"?: string | null;
          "custody_salt"?: string | null;
          "declared_sha256"?: string | null;
          "file_id"?: string;
          "file_size"?: number | null;
          "filename": string;
          "is_sensitive"?: boolean;
          "last_error"?: string | null;
          "media_index"?: number | null;
          "message_sid"?: string | null;
          "moved_from"?: string | null;
          "next_attempt_at"?: string | null;
          "path": string;
          "purpose": string;
          "read_back_at"?: string | null;
          "read_back_sha256"?: string | null;
          "sha256"?: string | null;
          "source"?: string;
          "status"?: string;
          "stored_at"?: string | null;
          "tenant_id": string;
          "ticket_id"?: string | null;
        };
        Update: {
          "attempts"?: number;
          "bucket"?: string;
          "content_type"?: string;
          "created_at"?: string;
          "created_by"?: string | null;
          "custody_salt"?: string | null;
          "declared_sha256"?: string | null;
          "file_id"?: string;
          "file_size"?: number | null;
          "filename"?: string;
          "is_sensitive"?: boolean;
          "last_error"?: string | null;
          "media_index"?: number | null;
          "message_sid"?: string | null;
          "moved_from"?: string | null;
          "next_attempt_at"?: string | null;
          "path"?: string;
          "purpose"?: string;
          "read_back_at"?: string | null;
          "read_back_sha256"?: string | null;
          "sha256"?: string | null;
          "source"?: string;
          "status"?: string;
          "stored_at"?: string | null;
          "tenant_id"?: string;
          "ticket_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "media_attachments_message_sid_fkey";
            columns: ["message_sid"];
            isOneToOne: false;
            referencedRelation: "inbound_messages";
            referencedColumns: ["message_sid"];
          },
          {
            foreignKeyName: "media_attachments_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "media_attachments_ticket_fkey";
            columns: ["tenant_id", "ticket_id"];
            isOneToOne: false;
            referencedRelation: "tickets";
            referencedColumns: ["tenant_id", "id"];
          },
        ];
      };
      "municipalities": {
        Row: {
          "created_at": string;
          "gbv_requires_mfa": boolean;
          "id": string;
          "language": string;
          "name": string;
          "slug": string;
          "uploads_per_hour": number;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "gbv_requires_mfa"?: boolean;
          "id"?: string;
          "language"?: string;
          "name": string;
          "slug": string;
          "uploads_per_hour"?: number;
        };
        Update: {
          "created_at"?: string;
          "gbv_requires_mfa"?: boolean;
          "id"?: string;
          "language"?: string;
          "name"?: string;
          "slug"?: string;
          "uploads_per_hour"?: number;
        };
        Relationships: [];
      };
      "tickets": {
        Row: {
          "category": string;
          "created_at": string;
          "description": string | null;
          "encrypted_description": string | null;
          "id": string;
          "is_sensitive": boolean;
          "language": string;
          "last_message_at": string | null;
          "last_read_at": string | null;
          "reporter_id": string | null;
          "sealed_with": string | null;
          "sender_ref": string | null;
          "severity": string;
          "status": string;
          "tenant_id": string;
          "tracking_number": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "category"?: string;
          "created_at"?: string;
          "description"?: string | null;
          "encrypted_description"?: string | null;
          "id"?: string;
          "is_sensitive"?: boolean;
          "language"?: string;
          "last_message_at"?: string | null;
          "last_read_at"?: string | null;
          "reporter_id"?: string | null;
          "sealed_with"?: string | null;
          "sender_ref"?: string | null;
          "severity"?: string;
          "status"?: string;
          "tenant_id": string;
          "tracking_number"?: string;
          "updated_at"?: string;
        };
        Update: {
          "category"?: string;
          "created_at"?: string;
          "description"?: string | null;
          "encrypted_description"?: string | null;
          "id"?: string;
          "is_sensitive"?: boolean;
          "language"?: string;
          "last_message_at"?: string | null;
          "last_read_at"?: string | null;
          "reporter_id"?: string | null;
          "sealed_with"?: string | null;
          "sender_ref"?: string | null;
          "severity"?: string;
          "status"?: string;
          "tenant_id"?: string;
          "tracking_number"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "tickets_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
      "whatsapp_numbers": {
        Row: {
          "created_at": string;
          "is_sensitive": boolean;
          "number": string;
          "tenant_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "is_sensitive"?: boolean;
          "number": string;
          "tenant_id": string;
        };
        Update: {
          "created_at"?: string;
          "is_sensitive"?: boolean;
          "number"?: string;
          "tenant_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "whatsapp_numbers_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: {
      "evidence_access_log": {
        Row: {
          "accessed_at": string;
          "expires_in": number | null;
          "file_id": string | null;
          "id": string;
          "request_id": string | null;
          "seq": number | null;
          "tenant_id": string;
          "user_id": string | null;
          "user_role": string | null;
        };
        ComputedFields: never;
        Insert: {
          "accessed_at"?: string | null;
          "expires_in"?: never;
          "file_id"?: string | null;
          "id"?: string | null;
          "request_id"?: never;
          "seq"?: number | null;
          "tenant_id"?: string | null;
          "user_id"?: string | null;
          "user_role"?: string | null;
        };
        Update: {
          "accessed_at"?: string | null;
          "expires_in"?: never;
          "file_id"?: string | null;
          "id"?: string | null;
          "request_id"?: never;
          "seq"?: number | null;
          "tenant_id"?: string | null;
          "user_id"?: string | null;
          "user_role"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "custody_records_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
        ];
      };
      "media_backlog": {
        Row: {
          "attempts": number;
          "can_be_retried": boolean | null;
          "file_id": string;
          "filename": string;
          "municipality": string | null;
          "next_attempt_at": string | null;
          "reason": string | null;
          "since": string | null;
          "situation": string | null;
          "source": string;
          "status": string;
          "tenant_id": string;
          "ticket_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "attempts"?: number | null;
          "can_be_retried"?: never;
          "file_id"?: string | null;
          "filename"?: string | null;
          "municipality"?: never;
          "next_attempt_at"?: never;
          "reason"?: string | null;
          "since"?: never;
          "situation"?: never;
          "source"?: string | null;
          "status"?: string | null;
          "tenant_id"?: string | null;
          "ticket_id"?: string | null;
        };
        Update: {
          "attempts"?: number | null;
          "can_be_retried"?: never;
          "file_id"?: string | null;
          "filename"?: string | null;
          "municipality"?: never;
          "next_attempt_at"?: never;
          "reason"?: string | null;
          "since"?: never;
          "situation"?: never;
          "source"?: string | null;
          "status"?: string | null;
          "tenant_id"?: string | null;
          "ticket_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "media_attachments_tenant_id_fkey";
            columns: ["tenant_id"];
            isOneToOne: false;
            referencedRelation: "municipalities";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "media_attachments_ticket_fkey";
            columns: ["tenant_id", "ticket_id"];
            isOneToOne: false;
            referencedRelation: "tickets";
            referencedColumns: ["tenant_id", "id"];
          },
        ];
      };
    };
    Functions: {
      "add_custody_checkpoint": {
        Args: {
          "authorities"?: (string)[];
          "key_id": string;
          "key_name": string;
          "municipality_id": string;
          "note": string;
          "public_key": string;
          "root": string;
          "size": number;
        };
        Returns: undefined;
      };
      "audit_custody": { Args: { "slice"?: number }; Returns: Json };
      "claim_custody_timestamp": { Args: { "lease_seconds"?: number }; Returns: Json };
      "claim_media_work": { Args: { "lease_seconds"?: number }; Returns: Json };
      "claim_read_back": { Args: { "days"?: number }; Returns: Json };
      "complete_custody_timestamp": {
        Args: {
          "authority": string;
          "municipality_id": string;
          "reason"?: string;
          "size": number;
          "stamped_at"?: string;
          "token"?: string;
        };
        Returns: undefined;
      };
      "complete_media_deletion": { Args: { "file_id": string }; Returns: undefined };
      "complete_media_hash": {
        Args: { "file_id": string; "sha256": string; "sniffed_type"?: string };
        Returns: undefined;
      };
      "complete_media_move": { Args: { "file_id": string; "sha256": string }; Returns: undefined };
      "complete_media_transfer": {
        Args: { "file_id": string; "file_size": number; "sha256": string };
        Returns: undefined;
      };
      "complete_read_back": { Args: { "file_id": string; "sha256": string }; Returns: undefined };
      "complete_resealing": { Args: { "sealed_with": string; "tokens": Json }; Returns: number };
      "create_upload_slot": {
        Args: {
          "content_type": string;
          "declared_sha256"?: string;
          "file_size": number;
          "filename": string;
          "object_name": string;
          "purpose": string;
          "ticket_id"?: string;
        };
        Returns: {
          "bucket": string;
          "file_id": string;
          "max_bytes": number;
          "path": string;
        }[];
      };
      "custody_bundle": { Args: { "bundle_id": string; "ticket_id": string }; Returns: Json };
      "custody_certificate": {
        Args: { "file_id": string; "signer_name"?: string; "signer_office"?: string; "wording"?: string };
        Returns: Json;
      };
      "custody_consistency": {
        Args: { "municipality_id"?: string; "old_size": number; "size"?: number };
        Returns: Json;
      };
      "custody_proof": { Args: { "file_id": string; "size"?: number }; Returns: Json };
      "due_custody_checkpoint": { Args: Record<PropertyKey, never>; Returns: Json };
      "fail_media_work": {
        Args: { "file_id": string; "final": boolean; "reason": string };
        Returns: undefined;
      };
      "list_tickets": {
        Args: {
          "after_id"?: string;
          "after_time"?: string;
          "category"?: (string)[];
          "ids"?: (string)[];
          "number"?: string;
          "page_size"?: number;
          "sensitive"?: boolean;
          "severity"?: (string)[];
          "since"?: string;
          "sort"?: string;
          "status"?: (string)[];
        };
        Returns: Json;
      };
      "mark_ticket_read": { Args: { "ticket_id": string }; Returns: undefined };
      "mark_ticket_sensitive": { Args: { "ticket_id": string }; Returns: boolean };
      "move_message": { Args: { "message_sid": string; "ticket_id"?: string }; Returns: string };
      "open_bundle_messages": {
        Args: {
          "include_sender"?: boolean;
          "message_sids": (string)[];
          "requested_by": string;
          "ticket_id": string;
        };
        Returns: {
          "encrypted_payload": string;
          "kind": string;
          "message_sid": string;
          "received_at": string;
        }[];
      };
      "open_evidence": {
        Args: { "expires_in"?: number; "files": Json; "request_id": string };
        Returns: {
          "bucket": string;
          "expires_seconds": number;
          "file_id": string;
          "gbv": boolean;
          "ordinal": number;
          "path": string;
          "refused": string;
        }[];
      };
      "open_messages": {
        Args: {
          "include_sender"?: boolean;
          "message_sids"?: (string)[];
          "request_id": string;
          "ticket_id"?: string;
        };
        Returns: {
          "encrypted_payload": string;
          "kind": string;
          "message_sid": string;
          "received_at": string;
        }[];
      };
      "other_tickets_of_sender": {
        Args: { "ticket_id": string };
        Returns: {
          "created_at": string;
          "id": string;
          "is_sensitive": boolean;
          "status": string;
          "tracking_number": string;
        }[];
      };
      "publish_municipality_event": {
        Args: { "event": Json; "municipality_id": string; "sensitive"?: boolean };
        Returns: undefined;
      };
      "record_custody_bundle": {
        Args: {
          "file_ids"?: (string)[];
          "messages_sha256"?: string;
          "requested_by": string;
          "ticket_id": string;
        };
        Returns: Json;
      };
      "record_inbound_message": {
        Args: {
          "body"?: string;
          "channel": string;
          "channel_number": string;
          "encrypted_description"?: string;
          "encrypted_payload": string;
          "kind": string;
          "latitude"?: number;
          "longitude"?: number;
          "media": Json;
          "message_sid": string;
          "place"?: string;
          "sealed_with"?: string;
          "sender_refs": (string)[];
          "ticket_id"?: string;
        };
        Returns: Json;
      };
      "retry_media": { Args: { "file_id": string }; Returns: undefined };
      "route_inbound_message": {
        Args: {
          "channel": string;
          "channel_number": string;
          "sender_refs": (string)[];
          "ticket_id"?: string;
        };
        Returns: Json;
      };
      "seal_custody": { Args: { "batch"?: number }; Returns: number };
      "search_tickets": {
        Args: {
          "after_id"?: string;
          "after_time"?: string;
          "category"?: (string)[];
          "ids"?: (string)[];
          "page_size"?: number;
          "sensitive"?: boolean;
          "severity"?: (string)[];
          "since"?: string;
          "sort"?: string;
          "status"?: (string)[];
          "words": string;
        };
        Returns: Json;
      };
      "ticket_counts": {
        Args: Record<PropertyKey, never>;
        Returns: {
          "is_sensitive": boolean;
          "status": string;
          "tickets": number;
        }[];
      };
      "tokens_to_reseal": {
        Args: { "batch"?: number; "other_keys": (string)[] };
        Returns: {
          "message_sid": string;
          "ticket_id": string;
          "token": string;
        }[];
      };
      "verify_custody": {
        Args: { "known_root"?: string; "known_size"?: number; "municipality_id"?: string };
        Returns: {
          "problem": string;
          "seq": number;
          "tenant_id": string;
        }[];
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Insert: infer I;
  } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
    Update: infer U;
  } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {},
  },
} as const;
