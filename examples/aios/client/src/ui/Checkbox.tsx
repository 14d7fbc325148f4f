import { Pressable, StyleSheet, Text, View } from 'react-native';

import { SPACE, usePalette } from './theme';

interface Props {
  label: string;
  checked: boolean;
  onPress: () => void;
}

/** A box to tick; what is ticked is struck through. */
export function Checkbox({ label, checked, onPress }: Props) {
  const palette = usePalette();
  return (
    <Pressable
      accessibilityLabel={label}
      accessibilityRole="checkbox"
      aria-checked={checked}
      onPress={onPress}
      style={styles.row}
    >
      <View
        style={[styles.box, { borderColor: palette.accent }, checked && { backgroundColor: palette.accent }]}
      />
      <Text
        style={[styles.label, { color: checked ? palette.faint : palette.text }, checked && styles.struck]}
      >
        {label}
      </Text>
    </Pressable>
  );
}

const styles = StyleSheet.create({
  box: { borderRadius: 6, borderWidth: 2, height: 24, width: 24 },
  label: { flex: 1, fontSize: 17 },
  row: { alignItems: 'center', flex: 1, flexDirection: 'row', gap: SPACE.medium, minHeight: 44 },
  struck: { textDecorationLine: 'line-through' },
});
