import { useColorScheme } from 'react-native';

export interface Palette {
  background: string;
  surface: string;
  border: string;
  text: string;
  faint: string;
  accent: string;
  onAccent: string;
  danger: string;
}

/** Every pair of text and ground below has a contrast of at least 4.5 : 1. */
export const LIGHT: Palette = {
  background: '#F4F8FA',
  surface: '#FFFFFF',
  border: '#D5E2E8',
  text: '#0B1F2A',
  faint: '#52656F',
  accent: '#006699',
  onAccent: '#FFFFFF',
  danger: '#B3261E',
};

export const DARK: Palette = {
  background: '#07141B',
  surface: '#0F242F',
  border: '#1F3B49',
  text: '#EAF4F8',
  faint: '#9DB4BF',
  accent: '#00D9FF',
  onAccent: '#07141B',
  danger: '#FF9A92',
};

export const SPACE = { small: 8, medium: 16, large: 24 } as const;
export const RADIUS = 12;
export const MAX_WIDTH = 560;

/** The colours that the person's device asks for. */
export function usePalette(): Palette {
  return useColorScheme() === 'dark' ? DARK : LIGHT;
}
