/** Types of react.js. */

import type { ReactElement, ReactNode } from 'react';
import type { Options, Result } from './portfolio-connect';

export interface RenderProps {
  open(): Promise<Result>;
  /** The script is loaded. */
  isReady: boolean;
  isOpen: boolean;
}

export function usePortfolioConnect(props: Options): RenderProps;
export function PortfolioConnect(props: Options & { children: (state: RenderProps) => ReactNode }): ReactElement;
export default PortfolioConnect;
