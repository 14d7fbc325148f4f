import type { PropsWithChildren } from 'react';
import { StyleSheet, View } from 'react-native';

import { RADIUS, SPACE, usePalette } from './theme';

/** One thing in a list, or one block of facts. */
export function Card({ children, testID }: PropsWithChildren<{ testID?: string }>) {
  const palette = usePalette();
  return (
    <View
      style={[styles.card, { backgroundColor: palette.surface, borderColor: palette.border }]}
      testID={testID}
    >
      {children}
    </View>
  );
}

const styles = StyleSheet.create({
  card: { borderRadius: RADIUS, borderWidth: 1, gap: SPACE.small, padding: SPACE.medium },
});
