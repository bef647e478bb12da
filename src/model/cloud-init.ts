/** What a guest's cloud-init is given, as the files of its NoCloud source have it. */
export interface CloudInit {
  readonly userData: string;
  /** Has `instance-id`: another one makes cloud-init set the guest up anew. */
  readonly metaData: string;
  readonly networkConfig?: string;
}
