/** What the functions of the take-in suite are asked: these media, to these paths of the bucket `evidence`. */
export interface TakeInRequest {
  media: { url: string; path: string }[];
  contentType: string;
}
