/** What an image runs on. OCI image spec, image-index.md; values are Go's GOOS and GOARCH. */

export interface Platform {
  os: string
  architecture: string
  variant?: string
  'os.version'?: string
}
